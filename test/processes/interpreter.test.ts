// What an interpreter runs, by its command line: as it is read, and as the real ones read it.
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { baseName, isInterpreter, scriptOf } from "../../src/processes/interpreter.ts";
import { ProcReader } from "../../src/processes/proc_reader.ts";
import { TemporaryDirectory } from "../support/temporary_directory.ts";
import { TEST_MS_MAX } from "../support/test_ms_max.ts";

setDefaultTimeout(TEST_MS_MAX);

describe("scriptOf() finds", () => {
  test.each([
    ["python3 /srv/worker.py --fast", "worker.py"],
    ["python3.11 -u -W ignore -X dev worker.py -m x", "worker.py"],
    ["python3 -Wignore -uB worker.py", "worker.py"],
    ["python3 -m celery.bin worker", "celery.bin"],
    ["python3 -um http.server 80", "http.server"],
    ["python3 -- -odd.py", "-odd.py"],
    ["python3 -c code worker.py", ""],
    ["python3 -Bc code", ""],
    ["python3 - worker.py", ""],
    ["python3", ""],
    ["node --require x app.js", "app.js"],
    ["node --require=x --max-old-space-size=64 -r y /srv/app.js z", "app.js"],
    ["node --inspect --enable-source-maps app.js", "app.js"],
    ["node inspect app.js", "app.js"],
    ["node -e code app.js", ""],
    ["node .", ""],
    ["node dist/", "dist"],
    ["bun run x.ts", "x.ts"],
    ["bun --watch --env-file .env x.ts", "x.ts"],
    ["bun x.ts run", "x.ts"],
    ["deno run --allow-net x.ts", "x.ts"],
    ["deno run -c deno.json --allow-read=/ x.ts", "x.ts"],
    ["deno eval code", ""],
    ["ruby -I lib x.rb", "x.rb"],
    ["ruby -Ilib -rbundler/setup -W0 -w x.rb", "x.rb"],
    ["ruby -r json -C /srv x.rb", "x.rb"],
    ["ruby -ne code x.rb", ""],
    ["perl -w x.pl", "x.pl"],
    ["perl -Mstrict -I lib -T x.pl", "x.pl"],
    ["perl -lne code x.pl", ""],
    ["perl -i.bak -pe code", ""],
    ["perl -0777 x.pl", "x.pl"],
    ["php -f x.php", "x.php"],
    ["php -d memory_limit=1G x.php", "x.php"],
    ["php -r code", ""],
    ["php -S 0.0.0.0:80 -t public router.php", "router.php"],
    ["java -jar app.jar", "app.jar"],
    ["java -Xmx1g -cp a.jar:b.jar com.example.Main arg", "com.example.Main"],
    ["java @options --add-opens java.base/x=ALL -jar /opt/app.jar", "app.jar"],
    ["java -m shop/com.example.Main", "com.example.Main"],
    ["bash script.sh", ""],
    ["php-fpm8.2 x.php", ""],
  ])("in %j %j", (line, wanted) => {
    const argv = line.split(" ");
    expect(scriptOf(argv[0]!, argv)).toBe(wanted);
  });

  test("nothing in what is no command line", () => {
    for (const argv of [[], [""], ["", "", ""], ["-"], ["python3", ""]])
      expect(scriptOf("python3", argv)).toBe("");
  });
});

test("baseName() is what is after the last slash that ends no name", () => {
  const paths = ["/usr/bin/node", "node", "/", "", "a/b/", "a//b"];
  expect(paths.map(baseName)).toEqual(["node", "node", "", "", "b", "b"]);
  expect(["python3", "python3.11", "pythonic", "nodejs", "sh"].map(isInterpreter)).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
});

const directory = new TemporaryDirectory();
afterAll(() => directory[Symbol.dispose]());

/** Each says where its script is by a line, and waits. */
const REAL: readonly [program: string, script: string, argv: readonly string[]][] = [
  ["python3", "w.py", ["-u", "-W", "ignore", "-X", "utf8", "DIR/w.py", "x"]],
  ["python3", "w", ["-um", "w"]],
  ["python3", "", ["-c", "import time; print('up', flush=True); time.sleep(60)", "w.py"]],
  ["node", "w.js", ["--require", "DIR/none.js", "-C", "dev", "DIR/w.js"]],
  ["node", "w.js", ["-r", "DIR/none.js", "--max-http-header-size", "9000", "DIR/w.js", "y"]],
  ["node", "", ["-e", "console.log('up'); setTimeout(() => {}, 60000)", "w.js"]],
  ["perl", "w.pl", ["-w", "-I", "DIR", "-Mstrict", "DIR/w.pl"]],
  ["perl", "", ["-we", "$| = 1; print 'up'; sleep 60", "w.pl"]],
];

describe("of a real process the script is read:", () => {
  writeFileSync(`${directory.path}/none.js`, "");
  writeFileSync(`${directory.path}/w.js`, "console.log('up'); setTimeout(() => {}, 60000);");
  writeFileSync(`${directory.path}/w.py`, "import time\nprint('up', flush=True)\ntime.sleep(60)\n");
  writeFileSync(`${directory.path}/w.pl`, "$| = 1; print 'up'; sleep 60;");
  const reader = new ProcReader();
  for (const [program, script, argv] of REAL) {
    test.skipIf(Bun.which(program) === null)(`${program} ${argv.join(" ")}`, async () => {
      const words = argv.map((word) => word.replace("DIR", directory.path));
      const child = spawn(program, words, { cwd: directory.path });
      try {
        await new Promise((resolve) => child.stdout.once("data", resolve));
        const pid = child.pid!;
        const read = reader.identityOf(pid, reader.startTime(pid), 0, 0, 0);
        expect(read?.script).toBe(script);
        expect(baseName(read!.exe)).toStartWith(program);
      } finally {
        child.kill("SIGKILL");
      }
    });
  }
});
