// The rules between keys (spec 07 section 2.11). All are evaluated and all violations reported; a
// key whose value is wrong by itself takes no part. Each rule is one function, in the order of the
// specification.
import { posix } from "node:path";
import { LISTENERS_MAX } from "../../base/limits.ts";
import { canonicalAddress, isLoopbackAddress, parseListen } from "../keys/address.ts";
import { isUnixKind } from "../keys/listener_keys.ts";
import { listenerNames } from "./listener_names.ts";
import { checkAgents } from "./agent_rules.ts";
import type { CheckedDocument, CheckedListener } from "./check_document.ts";
import { type Fault, ordinal } from "../problems/fault.ts";
import { pathText, quoted } from "../problems/found.ts";
import { type Conflict, conflictFault, type KeyRef } from "./key_ref.ts";
import { checkRecovery, hasRecovery } from "./recovery_rules.ts";

/** The files that rotation may leave: FILE.1 to FILE.5. */
const ROTATIONS = 5;

const PLAINTEXT = "--i-accept-plaintext-udp";
const NON_LOOPBACK = "--i-accept-secure-udp-non-loopback";
const RECOVERY_UDP = "--plaintext-udp-i-accept-recovery-on-unauthenticated-transport";
const RECOVERY_SECURE = "--secure-udp-i-accept-recovery-on-unauthenticated-transport";

export function checkCrossRules(
  document: CheckedDocument,
  platform: string,
  faults: Fault[],
): void {
  function report(conflict: Conflict): void {
    faults.push(conflictFault(document, conflict));
  }
  checkCount(document, report);
  checkNames(document, report);
  checkAddresses(document, report);
  checkControlPath(document, report);
  for (const listener of document.listeners) {
    if (listener.kind === "udp") checkPlaintext(listener, report);
    if (listener.kind === "secure-udp") checkSecure(listener, report);
    if (!isUnixKind(listener.kind)) checkAcceptRecovery(document, listener, report);
    if (platform !== "linux") checkCredentialKeys(listener, platform, report);
  }
  checkRecovery(document, platform, report);
  checkAgents(document, faults);
  checkMetrics(document, report);
  checkAuditKey(document, report);
  checkFiles(document, report);
  checkClock(document, platform, report);
}

type Report = (conflict: Conflict) => void;

/**
 * A listener within a message: "listener edge", "the 2nd [[listener]]", or the option that made it.
 */
function listenerLabel(listener: CheckedListener): string {
  const { name } = listener.values;
  return name === undefined ? listenerPlace(listener) : `listener ${name}`;
}

function listenerPlace(listener: CheckedListener): string {
  if (listener.madeBy !== undefined) return `--${listener.madeBy}`;
  const index = listener.path[1];
  return typeof index === "number"
    ? `the ${ordinal(index + 1)} [[listener]]`
    : "the default listener";
}

function checkCount({ listeners }: CheckedDocument, report: Report): void {
  const listener = listeners[LISTENERS_MAX];
  if (listener === undefined) return;
  const found = `${listeners.length} listeners`;
  report({
    at: { listener, key: "kind" },
    anchor: "header",
    found,
    want: `at most ${LISTENERS_MAX}`,
  });
}

function checkNames(document: CheckedDocument, report: Report): void {
  const names = listenerNames(document.listeners);
  for (const [index, listener] of document.listeners.entries()) {
    const name = names[index];
    const first = names.indexOf(name);
    if (name === undefined || first === index) continue;
    const other = document.listeners[first]!;
    // A default name that was taken by an earlier listener is cured there or here; the written one
    // is to blame.
    const blamed = listener.values.name === undefined ? other : listener;
    const label = listenerPlace(blamed === listener ? other : listener);
    const at: KeyRef = { listener: blamed, key: "name" };
    const found = `${quoted(name)}, the name of ${label} too`;
    report({ at, anchor: "value", found, want: "a name of its own" });
  }
}

function checkAddresses(document: CheckedDocument, report: Report): void {
  const owners = new Map<string, KeyRef & { readonly listener: CheckedListener }>();
  for (const listener of document.listeners) {
    const claim = addressClaim(listener);
    if (claim === undefined) continue;
    const at = { listener, key: claim.key };
    const other = owners.get(claim.id) ?? (claim.place && ownerOfPlace(owners, claim.place));
    if (other === undefined) {
      owners.set(claim.id, at);
      continue;
    }
    const found = `${claim.text}, ${claim.what} of ${listenerLabel(other.listener)} too`;
    report({ at, anchor: "value", found, want: claim.want, involved: [other] });
  }
  const { listen } = document.tables.metrics.values;
  const address = listen === undefined ? undefined : parseListen(listen);
  if (listen === undefined || address?.kind !== "unix") return;
  const other = owners.get(posix.normalize(address.path));
  if (other === undefined) return;
  const found = `${quoted(listen)}, the path of ${listenerLabel(other.listener)} too`;
  const at: KeyRef = { table: "metrics", key: "listen" };
  report({ at, anchor: "value", found, want: "a path of its own", involved: [other] });
}

function checkControlPath(document: CheckedDocument, report: Report): void {
  const { path } = document.tables.control.values;
  const other = path === undefined ? undefined : socketPaths(document).get(posix.normalize(path));
  if (path === undefined || other === undefined || other.label === CONTROL_LABEL) return;
  const at: KeyRef = { table: "control", key: "path" };
  const found = `${quoted(path)}, ${other.label} too`;
  report({ at, anchor: "value", found, want: "a path of its own", involved: [other.ref] });
}

interface AddressClaim {
  readonly key: string;
  readonly id: string;
  readonly text: string;
  readonly what: string;
  readonly want: string;
  /** Of a claim for a port. */
  readonly place?: Place;
}

/** A port, of one address or of all addresses of its family. */
interface Place {
  readonly address: string;
  readonly port: number;
}

const ALL_ADDRESSES: readonly string[] = ["0.0.0.0", "::"];

/** Who has claimed the port where `place` is: all addresses include each one. */
function ownerOfPlace<Owner extends { readonly listener: CheckedListener }>(
  owners: ReadonlyMap<string, Owner>,
  place: Place,
): Owner | undefined {
  return [...owners.values()].find(({ listener }) => {
    const other = addressClaim(listener)?.place;
    if (other === undefined || other.port !== place.port) return false;
    if (other.address.includes(":") !== place.address.includes(":")) return false;
    return [other.address, place.address].some((address) => ALL_ADDRESSES.includes(address));
  });
}

function addressClaim({ kind, values }: CheckedListener): AddressClaim | undefined {
  const { path, address, port } = values;
  if (isUnixKind(kind) && path !== undefined) {
    return {
      key: "path",
      id: posix.normalize(path),
      text: quoted(path),
      what: "the path",
      want: "a path of its own",
    };
  }
  if (kind === undefined || isUnixKind(kind)) return undefined;
  if (address === undefined || port === undefined) return undefined;
  const place = { address: canonicalAddress(address), port };
  return {
    key: "port",
    id: `${place.address} ${port}`,
    place,
    text: `${port} on ${address}`,
    what: "the address and port",
    want: "another address or port",
  };
}

function checkPlaintext(listener: CheckedListener, report: Report): void {
  if (listener.wrong.has("accept_plaintext") || listener.values.accept_plaintext === true) return;
  const at: KeyRef = { listener, key: "accept_plaintext" };
  const because = "because any sender who reaches the port can forge beats";
  report({
    at,
    anchor: listener.given.has("accept_plaintext") ? "value" : "header",
    found: listener.given.has("accept_plaintext") ? "false" : "nothing",
    want: `true, ${because}`,
    foundOption: `no ${PLAINTEXT}`,
    wantOption: `${PLAINTEXT}, ${because}, or a key option such as --key-file`,
  });
}

const KEY_FILES = ["key_file", "accepted_key_file", "master_key_file"] as const;

function checkSecure(listener: CheckedListener, report: Report): void {
  const { values, wrong } = listener;
  if (!KEY_FILES.some((key) => values[key] !== undefined || wrong.has(key))) {
    const want = "at least one of key_file, accepted_key_file and master_key_file";
    report({ at: { listener, key: "key_file" }, anchor: "header", found: "nothing", want });
  }
  if (values.address === undefined || isLoopbackAddress(values.address)) return;
  if (wrong.has("accept_non_loopback") || values.accept_non_loopback === true) return;
  report({
    at: { listener, key: "address" },
    anchor: "value",
    found: `${quoted(values.address)}, not a loopback address`,
    want: "accept_non_loopback = true beside it, or a loopback address",
    wantOption: `${NON_LOOPBACK} beside it, or a loopback address`,
    involved: [{ listener, key: "accept_non_loopback" }],
  });
}

function checkAcceptRecovery(
  document: CheckedDocument,
  listener: CheckedListener,
  report: Report,
): void {
  if (listener.kind === undefined || !hasRecovery(document)) return;
  const decided = listener.values.accept_recovery !== undefined;
  if (decided || listener.wrong.has("accept_recovery")) return;
  const option = listener.kind === "udp" ? RECOVERY_UDP : RECOVERY_SECURE;
  report({
    at: { listener, key: "accept_recovery" },
    anchor: "header",
    found: "nothing",
    want: "true or false, because [recovery] has a command",
    foundOption: `no ${option}`,
    wantOption: `it as =true or =false, because there is a recovery command`,
    involved: [
      { table: "recovery", key: "command" },
      { table: "recovery", key: "command_file" },
      { table: "recovery", key: "step" },
    ],
  });
}

function checkCredentialKeys(listener: CheckedListener, platform: string, report: Report): void {
  const { kind } = listener;
  if (kind === "unix-stream" || kind === "notify") {
    const what = kind === "notify" ? "messages" : "frames";
    const found = `"${kind}" on ${platform}, where ${what} carry no credentials`;
    const want = "a listener of another kind";
    report({ at: { listener, key: "kind" }, anchor: "value", found, want });
  }
  for (const key of ["allow_uids", "allow_gids"] as const) {
    if (listener.values[key] === undefined) continue;
    const found = `an allow list on ${platform}, where beats carry no credentials`;
    report({ at: { listener, key }, anchor: "key", found, want: "no such key" });
  }
  if (listener.values.containers !== true) return;
  const found = `true on ${platform}, where beats carry no credentials`;
  report({ at: { listener, key: "containers" }, anchor: "value", found, want: "false" });
}

function checkMetrics(document: CheckedDocument, report: Report): void {
  const { wrong, values } = document.tables.metrics;
  const { listen, token_file } = values;
  const listenRef: KeyRef = { table: "metrics", key: "listen" };
  const tokenRef: KeyRef = { table: "metrics", key: "token_file" };
  if (token_file !== undefined && listen === undefined && !wrong.has("listen")) {
    report({
      at: tokenRef,
      anchor: "key",
      found: "a token without a metrics address",
      want: "listen beside it",
      wantOption: "--prom-addr beside it",
      involved: [listenRef],
    });
  }
  const address = listen === undefined ? undefined : parseListen(listen);
  if (listen === undefined || address?.kind !== "tcp" || isLoopbackAddress(address.host)) return;
  if (token_file !== undefined || wrong.has("token_file")) return;
  report({
    at: listenRef,
    anchor: "value",
    found: `${quoted(listen)}, not a loopback address`,
    want: "token_file beside it, or a loopback or unix: address",
    wantOption: "--prom-token-file beside it, or a loopback or unix: address",
    involved: [tokenRef],
  });
}

function checkAuditKey({ tables }: CheckedDocument, report: Report): void {
  const { wrong, values } = tables.audit;
  if (values.key_file === undefined || values.file !== undefined || wrong.has("file")) return;
  report({
    at: { table: "audit", key: "key_file" },
    anchor: "key",
    found: "a key without an audit log",
    want: "file beside it",
    wantOption: "--recovery-audit-file beside it",
    involved: [{ table: "audit", key: "file" }],
  });
}

function checkFiles(document: CheckedDocument, report: Report): void {
  const { audit, export: events, liveness, state } = document.tables;
  const owned = [
    { table: "audit", key: "file", path: audit.values.file, others: auditFiles },
    { table: "export", key: "file", path: events.values.file, others: rotatedFiles },
    { table: "liveness", key: "heartbeat_file", path: liveness.values.heartbeat_file },
    { table: "state", key: "file", path: state.values.file, others: stateFiles },
  ] as const;
  const owners = socketPaths(document);
  for (const { table, key, path, ...names } of owned) {
    if (path === undefined) continue;
    const file = posix.normalize(path);
    const others = "others" in names ? names.others(file) : [];
    const taken = others.includes(file) ? file : [file, ...others].find((name) => owners.has(name));
    const own = { label: `${table}.${key}`, ref: { table, key } };
    for (const name of [file, ...others]) if (!owners.has(name)) owners.set(name, own);
    if (taken === undefined) continue;
    const { label, ref } = owners.get(taken)!;
    const isOwn = label === own.label;
    const found = `${pathText(path)}, which ${isOwn ? "is a name that the daemon needs" : `collides with ${label}`}`;
    report({ at: { table, key }, anchor: "value", found, want: OWN_PATH, involved: [ref] });
  }
}

const OWN_PATH =
  "a path of its own; a rotation adds .1 to .5 to a path, beside an audit log are FILE.fired and " +
  "audit.head, and beside a state FILE.lock, FILE.tmp, FILE.bad and FILE.fired";

function rotatedFiles(file: string): string[] {
  return Array.from({ length: ROTATIONS }, (_, index) => `${file}.${index + 1}`);
}

/** What the daemon keeps beside its audit log. */
function auditFiles(file: string): string[] {
  const head = posix.join(posix.dirname(file), "audit.head");
  return [...rotatedFiles(file), `${file}.fired`, head];
}

/** What the daemon keeps beside its state. */
function stateFiles(file: string): string[] {
  return [".lock", ".tmp", ".bad", ".fired"].map((suffix) => `${file}${suffix}`);
}

const CONTROL_LABEL = "control.path";

/** Who has which path for a socket. */
function socketPaths({ listeners, tables }: CheckedDocument) {
  const owners = new Map<string, { readonly label: string; readonly ref: KeyRef }>();
  for (const listener of listeners) {
    const { path } = listener.values;
    if (!isUnixKind(listener.kind) || path === undefined) continue;
    const ref = { listener, key: "path" };
    owners.set(posix.normalize(path), { label: `the path of ${listenerLabel(listener)}`, ref });
  }
  const { listen } = tables.metrics.values;
  const address = listen === undefined ? undefined : parseListen(listen);
  if (address?.kind === "unix") {
    const ref = { table: "metrics", key: "listen" } as const;
    owners.set(posix.normalize(address.path), { label: "metrics.listen", ref });
  }
  const { path } = tables.control.values;
  if (path !== undefined && !owners.has(posix.normalize(path))) {
    const ref = { table: "control", key: "path" } as const;
    owners.set(posix.normalize(path), { label: CONTROL_LABEL, ref });
  }
  return owners;
}

function checkClock(document: CheckedDocument, platform: string, report: Report): void {
  if (platform === "linux" || document.tables.observer.values.clock_source !== "boottime") return;
  report({
    at: { table: "observer", key: "clock_source" },
    anchor: "value",
    found: `"boottime" on ${platform}`,
    want: '"monotonic" or "monotonic-raw": only Linux has a clock that counts suspend',
  });
}
