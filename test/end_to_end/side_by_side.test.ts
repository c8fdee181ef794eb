// The suites that wait more than they compute. The runner takes one file after the other, but concurrent tests of one file
// together: as files of their own they took half as long again.
import "./side_by_side/allow_lists.ts";
import "./side_by_side/audit.ts";
import "./side_by_side/audit_log.ts";
import "./side_by_side/contract.ts";
import "./side_by_side/demo.ts";
import "./side_by_side/ended_agent.ts";
import "./side_by_side/files.ts";
import "./side_by_side/http_clients.ts";
import "./side_by_side/inherited.ts";
import "./side_by_side/lifecycle.ts";
import "./side_by_side/namespaces.ts";
import "./side_by_side/network.ts";
import "./side_by_side/pid_reuse.ts";
import "./side_by_side/recovery.ts";
import "./side_by_side/recovery_steps.ts";
import "./side_by_side/service_manager.ts";
import "./side_by_side/socket_path.ts";
import "./side_by_side/stuck_streams.ts";
import "./side_by_side/two_sources.ts";
