// `varta-watch version`: one line with all that a bug report needs.
import { REVISION, RUNTIME, TARGET, VERSION } from "../base/build_info.ts";
import type { Invocation } from "./invocation.ts";
import { print } from "./output.ts";

export async function run(_invocation: Invocation): Promise<number> {
  print(`${versionText()}\n`);
  return 0;
}

/** "varta-watch 0.1.0 (4d17b9a1c0de, bun 1.4.4, linux-x64)" */
function versionText(): string {
  return `varta-watch ${VERSION} (${REVISION}, ${RUNTIME}, ${TARGET})`;
}
