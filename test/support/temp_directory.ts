// A private directory that goes away with its block.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class TempDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "varta-e2e-"));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
