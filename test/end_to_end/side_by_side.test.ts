// The suites that wait more than they compute. The runner takes one file after the other, but
// concurrent tests of one file together: as files of their own they took half as long again. Those
// that compute more are in slow/side_by_side.slow.ts.
import "./side_by_side/allow_lists.test.ts";
import "./side_by_side/contract.test.ts";
import "./side_by_side/control.test.ts";
import "./side_by_side/ended_agent.test.ts";
import "./side_by_side/exec.test.ts";
import "./side_by_side/http_clients.test.ts";
import "./side_by_side/lifecycle.test.ts";
import "./side_by_side/names.test.ts";
import "./side_by_side/pid_reuse.test.ts";
import "./side_by_side/two_sources.test.ts";
