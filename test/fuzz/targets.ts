// Every fuzz target by its name on the command line.
import { AuditTarget } from "./audit_target.ts";
import { CmsgTarget } from "./cmsg_target.ts";
import { ConfigTarget } from "./config_target.ts";
import { ControlDatagramTarget } from "./control_datagram_target.ts";
import { ControlTarget } from "./control_target.ts";
import { DbusTarget } from "./dbus_target.ts";
import type { FuzzTarget } from "./fuzz.ts";
import { HttpTarget } from "./http_target.ts";
import { NotifyTarget } from "./notify_target.ts";
import { SecureTarget } from "./secure_target.ts";
import { StateTarget } from "./state_target.ts";
import { StreamTarget } from "./stream_target.ts";
import { WireTarget } from "./wire_target.ts";

export const TARGETS: ReadonlyMap<string, () => FuzzTarget> = new Map<string, () => FuzzTarget>([
  ["wire", () => new WireTarget()],
  ["control_datagram", () => new ControlDatagramTarget()],
  ["notify", () => new NotifyTarget()],
  ["secure", () => new SecureTarget()],
  ["cmsg", () => new CmsgTarget()],
  ["config", () => new ConfigTarget()],
  ["http", () => new HttpTarget()],
  ["control", () => new ControlTarget()],
  ["audit", () => new AuditTarget()],
  ["dbus", () => new DbusTarget()],
  ["state", () => new StateTarget()],
  ["stream", () => new StreamTarget()],
]);
