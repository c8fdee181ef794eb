import { expect, test } from "bun:test";
import { defaultSocket } from "../../src/config/runtime_directory.ts";

test("defaultSocket() of root is in /run/varta, whatever the environment says", () => {
  expect(defaultSocket(0, { XDG_RUNTIME_DIR: "/run/user/0", TMPDIR: "/t" })).toEqual({
    path: "/run/varta/varta.sock",
    directory: { path: "/run/varta", mode: 0o755 },
  });
});

test("defaultSocket() of a user is in the runtime directory, else in the temporary one", () => {
  const cases: [Record<string, string>, string][] = [
    [{ XDG_RUNTIME_DIR: "/run/user/7", TMPDIR: "/t" }, "/run/user/7/varta"],
    [{ XDG_RUNTIME_DIR: "/run/user/7/" }, "/run/user/7/varta"],
    [{ XDG_RUNTIME_DIR: "relative", TMPDIR: "/t/" }, "/t/varta-7"],
    [{ XDG_RUNTIME_DIR: "" }, "/tmp/varta-7"],
    [{}, "/tmp/varta-7"],
  ];
  for (const [env, directory] of cases) {
    expect(defaultSocket(7, env)).toEqual({
      path: `${directory}/varta.sock`,
      directory: { path: directory, mode: 0o700 },
    });
  }
});
