// A directory of a test, removed with everything in it when the test ends.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class TempDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "varta-files-"));

  join(name: string): string {
    return join(this.path, name);
  }

  read(name: string): string {
    return readFileSync(this.join(name), "utf8");
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}
