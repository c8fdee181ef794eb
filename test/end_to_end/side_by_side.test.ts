// The suites that wait more than they compute. The runner takes one file after the other, but
// concurrent tests of one file together: as files of their own they took half as long again. Those
// that compute more are in slow/side_by_side.slow.ts.
import "./side_by_side/allow_lists.test.ts";
import "./side_by_side/audit_log.test.ts";
import "./side_by_side/containers.test.ts";
import "./side_by_side/contract.test.ts";
import "./side_by_side/end_policies.test.ts";
import "./side_by_side/ended_agent.test.ts";
import "./side_by_side/files.test.ts";
import "./side_by_side/follows_exec.test.ts";
import "./side_by_side/http_clients.test.ts";
import "./side_by_side/inherited.test.ts";
import "./side_by_side/late_and_grace.test.ts";
import "./side_by_side/lifecycle.test.ts";
import "./side_by_side/names.test.ts";
import "./side_by_side/pid_reuse.test.ts";
import "./side_by_side/recovery.test.ts";
import "./side_by_side/recovery_steps.test.ts";
import "./side_by_side/reload_keys.test.ts";
import "./side_by_side/service_manager.test.ts";
import "./side_by_side/stuck_streams.test.ts";
import "./side_by_side/two_sources.test.ts";
import "./side_by_side/views_by_http.test.ts";
