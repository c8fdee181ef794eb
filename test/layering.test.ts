// The shape of the source (design: imports point down): who may import whom, who may print, who may
// keep time. It reads the text of every file, so an import of a type counts like any other.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";
import { TEST_MS_MAX } from "./support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

const ROOT = normalize(join(import.meta.dir, ".."));

/**
 * The rooms from the ground up. A file imports from rooms above its own in this list, never from
 * below or beside.
 */
const FLOORS: readonly (readonly string[])[] = [
  ["base"],
  ["ffi"],
  ["wire", "tables"],
  ["events"],
  ["files", "processes", "systemd"],
  ["snapshot"],
  ["agents"],
  ["sockets", "secrets"],
  ["listener", "tracker"],
  ["observer"],
  ["config"],
  ["recovery", "audit", "export", "metrics", "http"],
  ["view"],
  ["control"],
  ["doctor"],
  ["daemon"],
  ["cli"],
  ["main"],
];

/**
 * The client is copied into agents: it carries nothing of the daemon but the rule where the socket
 * is.
 */
const CLIENT_ROOMS: readonly string[] = ["base", "wire", "ffi"];
const CLIENT_FILES: readonly string[] = ["src/config/runtime_directory.ts"];

/** A wing of recovery of its own, and its doors: the child, spawn, output, kill and reap. */
const CHILDREN = "src/recovery/children/";
const CHILDREN_DOORS: readonly string[] = [
  "child.ts",
  "child_runner.ts",
  "child_output.ts",
  "outstanding.ts",
  "orphan_reaper.ts",
];

interface SourceFile {
  /** From the root: "src/wire/decode.ts". */
  readonly path: string;
  readonly room: string;
  /** Without comment lines. */
  readonly code: string;
  /** Files of the program that it imports, and packages by name. */
  readonly imports: readonly string[];
}

const files = readSources();

function readSources(): SourceFile[] {
  const paths = [...new Glob("{src,ffi}/**/*.ts").scanSync(ROOT)].sort();
  return paths.map((path) => {
    const lines = readFileSync(join(ROOT, path), "utf8").split("\n");
    const code = lines.filter((line) => !/^\s*(\/\/|\/?\*)/.test(line)).join("\n");
    return { path, room: roomOf(path), code, imports: importsOf(path, code) };
  });
}

function roomOf(path: string): string {
  const [top, second] = path.split("/");
  if (top !== "src") return top!;
  return second === "main.ts" ? "main" : second!;
}

function importsOf(path: string, code: string): string[] {
  const found = code.matchAll(/\b(?:from|import)\s*\(?\s*"([^"]+)"/g);
  return [...found].map(([, target]) =>
    target!.startsWith(".") ? normalize(join(dirname(path), target!)) : target!,
  );
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}

/** "src/a.ts -> src/b.ts" for each import between files of the program that `isWrong`. */
function wrongImports(isWrong: (from: SourceFile, target: string) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports
      .filter((target) => /^(src|ffi)\//.test(target) && isWrong(file, target))
      .map((target) => `${file.path} -> ${target}`),
  );
}

/** "src/a.ts: word" for each file outside `rooms` whose code has one of the words. */
function uses(words: RegExp, rooms: readonly string[]): string[] {
  return files
    .filter(({ room }) => !rooms.includes(room))
    .flatMap(({ path, code }) => [...code.matchAll(words)].map(([word]) => `${path}: ${word}`));
}

/** All that is loaded when `path` is: itself, and what it imports at once, directly or not. */
function loadedWith(path: string, found = new Set<string>()): ReadonlySet<string> {
  if (found.has(path)) return found;
  found.add(path);
  const code = files.find((file) => file.path === path)?.code ?? "";
  const atOnce = [...code.matchAll(/^import\s+(?!type\b)[^;]*;/gm)].join("\n");
  for (const target of importsOf(path, atOnce)) loadedWith(target, found);
  return found;
}

describe("imports", () => {
  test("are found at all, types and late ones too", () => {
    const found = files.flatMap(({ path, imports }) => imports.map((to) => `${path} -> ${to}`));
    expect(found.length).toBeGreaterThan(300);
    expect(found).toContain("src/observer/observer.ts -> src/listener/listener.ts");
    expect(found).toContain("src/cli/entries/daemon.ts -> src/cli/run.ts");
    expect(found).toContain("ffi/clock.ts -> bun:ffi");
  });

  test("come from a room that has a place in the order", () => {
    const rooms = new Set(files.map(({ room }) => room));
    rooms.delete("client");
    expect([...rooms].filter((room) => floorOf(room) < 0)).toEqual([]);
  });

  test("point down", () => {
    const wrong = wrongImports((from, target) => {
      const to = roomOf(target);
      if (from.room === to || from.room === "client") return false;
      // A command may send a beat, which is what the client is for.
      if (to === "client") return from.room !== "cli";
      return floorOf(to) >= floorOf(from.room);
    });
    expect(wrong).toEqual([]);
  });

  test("of the settings are types: what reads a configuration file stays out of the sinks", () => {
    const values = files.filter(
      ({ room, code }) =>
        floorOf(room) === floorOf("recovery") &&
        /\bimport\s+(?!type\b)[^;]*?"\.\.\/config\//.test(code),
    );
    expect(values.map(({ path }) => path)).toEqual([]);
  });

  test("of the children of recoveries lead to their doors, and not back up", () => {
    const isInside = (path: string) => path.startsWith(CHILDREN);
    const wrong = wrongImports((from, target) => {
      if (isInside(from.path)) return roomOf(target) === "recovery" && !isInside(target);
      return isInside(target) && !CHILDREN_DOORS.includes(target.slice(CHILDREN.length));
    });
    expect(wrong).toEqual([]);
  });

  test("of the client are base, wire, ffi and where the socket is", () => {
    const wrong = wrongImports(
      ({ room }, target) =>
        room === "client" &&
        ![...CLIENT_ROOMS, "client"].includes(roomOf(target)) &&
        !CLIENT_FILES.includes(target),
    );
    expect(wrong).toEqual([]);
    const [decision] = files.filter(({ path }) => path === CLIENT_FILES[0]);
    expect(decision!.imports.filter((to) => roomOf(to) !== "config")).toEqual([]);
  });

  test("of bun:ffi are in ffi/ only", () => {
    const wrong = files.filter(
      ({ room, imports }) => room !== "ffi" && imports.includes("bun:ffi"),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test("name the extension, so that nothing is resolved by luck", () => {
    const wrong = wrongImports((_from, target) => !/\.(ts|json)$/.test(target));
    expect(wrong).toEqual([]);
  });

  test("are not handed on, but by the doors of the libraries", () => {
    const barrels = files.filter(({ code }) => /^export\s[^;]*?\sfrom\s+"/m.test(code));
    expect(barrels.map(({ path }) => path)).toEqual([
      "src/client/mod.ts",
      "src/client/package.ts",
      "src/observer/mod.ts",
    ]);
  });
});

describe("a command", () => {
  test("comes alone: the program, help, version and beat load no daemon and read no configuration", () => {
    const daemon = ["daemon", "observer", "tracker", "listener", "recovery", "audit", "metrics"];
    const reading = ["src/config/load.ts", "smol-toml", "toml-eslint-parser", "zod"];
    for (const entry of ["main", "cli/help", "cli/version", "cli/beat"]) {
      const loaded = [...loadedWith(`src/${entry}.ts`)];
      expect(loaded.length).toBeGreaterThan(3);
      const more = loaded.filter((path) => reading.includes(path) || daemon.includes(roomOf(path)));
      expect(more).toEqual([]);
    }
    // The options of configuration keys come from the rows of all keys.
    for (const entry of ["main", "cli/version", "cli/beat"])
      expect([...loadedWith(`src/${entry}.ts`)]).not.toContain("src/config/options.ts");
    const forRun = loadedWith("src/cli/run.ts");
    for (const path of ["src/observer/observer.ts", "src/config/load.ts", "smol-toml"])
      expect(forRun.has(path)).toBe(true);
  });
});

describe("below the daemon", () => {
  test("nothing prints: each failure is reported once, where its meaning is known", () => {
    const words = /\bconsole\s*\.|\bBun\.std(?:err|out)\b|\bprocess\.std(?:err|out)\b/g;
    expect(uses(words, ["daemon", "cli", "main"])).toEqual([]);
  });

  test("nothing keeps time: it is a parameter", () => {
    const words =
      /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\b|\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bBun\.(?:sleep|nanoseconds)\b/g;
    expect(uses(words, ["daemon", "cli", "client", "main"])).toEqual([]);
  });

  test("nothing rolls dice: luck is a parameter too", () => {
    // A client lives in a program of others, which gives it no luck.
    expect(uses(/\bMath\.random\b/g, ["client"])).toEqual([]);
  });
});

describe("importing a file", () => {
  test("starts nothing and says nothing, but for src/main.ts", () => {
    const others = files.filter(({ room }) => room !== "main");
    const script = others.map(({ path }) => `await import("${join(ROOT, path)}");`).join("\n");
    const child = Bun.spawnSync([process.execPath, "-e", script], { timeout: 20_000 });
    expect(child.stderr.toString()).toBe("");
    expect(child.stdout.toString()).toBe("");
    // A timer, a socket or a signal handler that was left open would keep it running.
    expect(child.exitCode).toBe(0);
  });
});
