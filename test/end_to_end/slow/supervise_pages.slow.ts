// docs/supervise, as its pages stand: their files are written, built by their commands, checked by
// the program, and started as their units say; then they beat. A page whose tool is not here is
// left out.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { packClient, writeClientPackage } from "../../../scripts/package/client.ts";
import { goEnvironment } from "../../clients/compiled_languages.ts";
import { DaemonDoor } from "../../clients/daemon_door.ts";
import { runProgram } from "../../clients/run_program.ts";
import { DaemonProcess, endLeftovers } from "../../support/daemon_process.ts";
import { PROGRAM } from "../../support/program.ts";
import { TemporaryDirectory } from "../../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../../support/test_ms_max.ts";
import { until } from "../../support/until.ts";

setDefaultTimeout(TEST_MS_MAX);
afterAll(endLeftovers);

const ROOT = join(import.meta.dir, "../../..");
const PAGES = join(ROOT, "docs/supervise");
const INSTALLED = "/usr/share/varta-watch/clients";
/** The command that a page's program is built or run by. */
const TOOLS: Readonly<Record<string, string>> = {
  node: "node",
  python: "python3",
  java: "javac",
  go: "go",
  c: "cc",
  php: "php",
  ruby: "ruby",
  perl: "perl",
};
/** As those of Debian begin. */
const VENDORS_UNIT = `[Service]
Type=notify
WatchdogSec=60
ExecStart=/usr/sbin/vendor -f
`;
const tarball = new TemporaryDirectory();
afterAll(() => tarball[Symbol.dispose]());

for (const [page, tool] of Object.entries(TOOLS)) {
  const text = readFileSync(join(PAGES, `${page}.md`), "utf8");

  describe(`docs/supervise/${page}.md`, () => {
    test.skipIf(Bun.which(tool) === null)("makes a program that beats", async () => {
      await using door = await DaemonDoor.open();
      using directory = new TemporaryDirectory();
      const clients = await installedClients();
      const unit = blockOf(text, "ini");
      const place = /\/srv\/\w+/.exec(unit)![0];
      const here = (words: string) =>
        words.replaceAll(place, directory.path).replaceAll(INSTALLED, clients);
      for (const [file, code] of filesOf(text, place)) writeFileSync(directory.at(file), code);
      const build = /^Once, in .*?```sh\n(.*?)```/ms.exec(text)?.[1];
      if (build !== undefined) {
        const env = { ...goEnvironment(), npm_config_offline: "true" };
        await runProgram(["sh", "-ec", here(build)], { cwd: directory.path, env });
      }
      const [name, path] = /^Environment=(\w+)=(.*)$/m.exec(unit)!.slice(1) as [string, string];
      const kind = name === "VARTA_STREAM" ? "unix-stream" : "unix";
      expect(path).toBe(`/run/varta/${basename(door.path(kind))}`);
      const argv = here(/^ExecStart=(.*)$/m.exec(unit)![1]!).split(" ");
      const child = Bun.spawn([Bun.which(basename(argv[0]!)) ?? argv[0]!, ...argv.slice(1)], {
        env: { ...process.env, [name]: door.path(kind) },
        stdio: ["ignore", "ignore", "inherit"],
      });
      try {
        await door.untilBeats(child.pid, 2);
        expect(door.noncesOf(child.pid).slice(0, 2)).toEqual([1n, 2n]);
        expect(await door.refused()).toBe(0);
      } finally {
        child.kill("SIGKILL");
        await child.exited;
      }
    });

    test("has a rule that is taken, and a unit that systemd understands", async () => {
      using directory = new TemporaryDirectory();
      await check(directory, blockOf(text, "toml"));
      const unit = `${/name = "([a-z]+)"\nmatch/.exec(text)![1]}.service`;
      verifyUnit(directory, unit, blockOf(text, "ini"));
    });
  });
}

describe("docs/supervise/containers.md", () => {
  const text = readFileSync(join(PAGES, "containers.md"), "utf8");
  const isRoot = process.getuid!() === 0;

  test.skipIf(!isRoot)("mounts the directory where its program looks for the socket", async () => {
    using directory = new TemporaryDirectory();
    const rule = blockOf(text, "toml");
    await check(directory, rule);
    const [path] = /\/run\/[\w-]+\/varta\.sock/.exec(rule)!;
    await using daemon = await DaemonProcess.start({
      directory: directory.path,
      ownListeners: true,
      config: rule.replace(path, directory.at("varta.sock")),
    });
    const pages = blocksOf(text, "yaml");
    expect(pages).toHaveLength(2);
    for (const [at, yaml] of pages.entries()) {
      const [, socket] = /VARTA_SOCKET\b[^/]*(\/\S+)/.exec(yaml)!;
      const [, inCompose, inPod] = /- \/\S+:(\/\S+)|mountPath: (\S+)/.exec(yaml)!;
      expect(socket).toBe(path);
      await using _ = inContainer(directory.path, (inCompose ?? inPod)!, socket!);
      await until("beats from inside", async () => {
        const [listener] = (await daemon.state()).listeners;
        return listener!.accepted >= 2 * (at + 1);
      });
      expect((await daemon.state()).listeners[0]!.rejected).toBe(0);
    }
  });
});

describe("docs/supervise/systemd.md", () => {
  const text = readFileSync(join(PAGES, "systemd.md"), "utf8");

  test("has a listener and a rule that are taken", async () => {
    using directory = new TemporaryDirectory();
    const blocks = blocksOf(text, "toml");
    expect(blocks.map((block) => block.split("\n")[0])).toEqual(["[[listener]]", "[[agent]]"]);
    await check(directory, blocks.join("\n"));
  });

  // They are started by packaging/test/notify.sh, under systemd.
  test("has units, and a drop-in for the unit of a vendor, that systemd understands", () => {
    using directory = new TemporaryDirectory();
    const [own, dropIn, script, ...more] = blocksOf(text, "ini");
    expect(more).toEqual([]);
    verifyUnit(directory, "own.service", own!);
    verifyUnit(directory, "script.service", script!);
    verifyUnit(directory, "vendor.service", VENDORS_UNIT, dropIn);
  });
});

test("every page is in the index", () => {
  const index = readFileSync(join(PAGES, "README.md"), "utf8");
  const pages = readdirSync(PAGES).filter((name) => name !== "README.md");
  expect(pages.filter((page) => !index.includes(`(${page}`))).toEqual([]);
});

/** The program of python.md in a pid namespace, with `directory` mounted at `mount` and no more. */
function inContainer(directory: string, mount: string, socket: string): AsyncDisposable {
  const python = readFileSync(join(PAGES, "python.md"), "utf8");
  for (const [file, code] of filesOf(python, "/srv/billing"))
    writeFileSync(join(directory, file), code);
  cpSync(join(ROOT, "clients/python/varta_watch.py"), join(directory, "varta_watch.py"));
  const commands = [
    "mount -t tmpfs none /run",
    `mkdir -p ${mount}`,
    `mount --bind ${directory} ${mount}`,
    `exec python3 ${directory}/billing.py`,
  ];
  const namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const child = Bun.spawn([...namespaces, "sh", "-ec", commands.join("\n")], {
    env: { ...process.env, VARTA_SOCKET: socket },
    stdio: ["ignore", "ignore", "inherit"],
  });
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/** As the package installs the clients, at a place of the test. */
async function installedClients(): Promise<string> {
  const clients = tarball.at("clients");
  cpSync(join(ROOT, "clients"), clients, { recursive: true });
  const work = tarball.at("work");
  await writeClientPackage(work);
  cpSync(packClient(work, tarball.path), join(clients, "javascript/varta-watch-client.tgz"));
  return clients;
}

/** Every "`/srv/NAME/FILE`:" with the block under it. */
function filesOf(text: string, place: string): (readonly [string, string])[] {
  const files = text.matchAll(/^`(\/srv\/[^`]+)`:\n\n```\w+\n(.*?)```/gms);
  return [...files].map(([, path, code]) => [path!.slice(place.length + 1), code!] as const);
}

function blockOf(text: string, kind: string): string {
  return blocksOf(text, kind)[0]!;
}

function blocksOf(text: string, kind: string): string[] {
  const blocks = text.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\``, "gms"));
  return [...blocks].map(([, block]) => block!);
}

/** systemd says nothing about it; what it starts need not be installed here. */
function verifyUnit(directory: TemporaryDirectory, name: string, unit: string, dropIn = ""): void {
  if (Bun.which("systemd-analyze") === null) return;
  const here = (text: string) =>
    text.replace(/^ExecStart=\/(?!bin\/sh)\S+/gm, "ExecStart=/bin/true");
  const path = directory.at(name);
  writeFileSync(path, here(unit));
  mkdirSync(`${path}.d`);
  writeFileSync(`${path}.d/varta.conf`, here(dropIn));
  const verify = Bun.spawnSync(["systemd-analyze", "verify", "--man=no", path]);
  const said = verify.stderr.toString().split("\n");
  expect(said.filter((line) => line.includes(name))).toEqual([]);
}

/** "varta-watch check" takes it without a word of warning about it. */
async function check(directory: TemporaryDirectory, toml: string): Promise<void> {
  const file = directory.at("varta.toml");
  const own = toml.replaceAll(/"\/run\/[\w-]+\/([\w.]+)"/g, `"${directory.path}/$1"`);
  writeFileSync(file, own);
  await runProgram([...PROGRAM, "check", "--config", file]);
}
