// The suites of real daemons that would take npm test too long, together: with those of
// side_by_side.test.ts they are all of their folder.
import "../side_by_side/acts.test.ts";
import "../side_by_side/agent_rows.test.ts";
import "../side_by_side/audit.test.ts";
import "../side_by_side/completed_names.test.ts";
import "../side_by_side/demo.test.ts";
import "../side_by_side/ends.test.ts";
import "../side_by_side/event_streams.test.ts";
import "../side_by_side/events.test.ts";
import "../side_by_side/every_command.test.ts";
import "../side_by_side/expected_agents.test.ts";
import "../side_by_side/explain.test.ts";
import "../side_by_side/export.test.ts";
import "../side_by_side/last_good.test.ts";
import "../side_by_side/many_ends.test.ts";
import "../side_by_side/namespaces.test.ts";
import "../side_by_side/network.test.ts";
import "../side_by_side/reload.test.ts";
import "../side_by_side/reload_command.test.ts";
import "../side_by_side/reload_doors.test.ts";
import "../side_by_side/reload_files.test.ts";
import "../side_by_side/reload_listeners.test.ts";
import "../side_by_side/restored.test.ts";
import "../side_by_side/rules.test.ts";
import "../side_by_side/socket_path.test.ts";
import "../side_by_side/vanished_streams.test.ts";
