// A Debian package with nothing but dpkg-deb. debhelper is not used, because by default it strips
// executables.
import { createHash } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../binary/target.ts";
import {
  type BuiltPackage,
  compressionLevel,
  compressed,
  filesBelow,
  mappedFiles,
  type PackageJob,
  runTool,
  settle,
  stage,
} from "./stage.ts";

const SCRIPTS = ["postinst", "prerm", "postrm"];
const SOURCES = join(ROOT, "packaging/deb");

export function buildDeb(job: PackageJob): BuiltPackage {
  const root = join(job.work, "root");
  stage(root, "deb", job);
  const version = `${job.version}-${job.release}`;
  write(join(root, "usr/share/lintian/overrides/varta-watch"), text("lintian-overrides"));
  write(
    join(root, "usr/share/doc/varta-watch/changelog.Debian.gz"),
    compressed(Buffer.from(changelog(version, job.epochSeconds))),
  );
  const installed = filesBelow(root);
  const control = join(root, "DEBIAN");
  const conffiles = mappedFiles("deb").filter(({ kind }) => kind === "config");
  write(join(control, "conffiles"), conffiles.map((file) => `${file.destination}\n`).join(""));
  write(join(control, "md5sums"), installed.map((path) => md5Line(root, path)).join(""));
  write(
    join(control, "control"),
    text("control.in")
      .replace("@VERSION@", version)
      .replace("@ARCHITECTURE@", job.architecture.deb)
      .replace("@INSTALLED_KIB@", String(installedKib(root, installed))),
  );
  for (const name of SCRIPTS) {
    copyFileSync(join(SOURCES, name), join(control, name));
    chmodSync(join(control, name), 0o755);
  }
  settle(root, job.epochSeconds);
  const path = join(job.out, `varta-watch_${version}_${job.architecture.deb}.deb`);
  const compression = ["-Zzstd", `-z${compressionLevel(job)}`];
  runTool(["dpkg-deb", "--root-owner-group", ...compression, "--build", root, path], job);
  const unpacked = join(job.work, "unpacked");
  runTool(["dpkg-deb", "--extract", path, unpacked], job);
  return { path, binary: join(unpacked, "usr/bin/varta-watch") };
}

function text(name: string): string {
  return readFileSync(join(SOURCES, name), "utf8");
}

function write(path: string, content: string | Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, 0o644);
}

function md5Line(root: string, path: string): string {
  const hash = createHash("md5").update(readFileSync(join(root, path)));
  return `${hash.digest("hex")}  ${path}\n`;
}

function installedKib(root: string, files: readonly string[]): number {
  const kib = files.map((path) => Math.ceil(statSync(join(root, path)).size / 1024));
  return kib.reduce((sum, size) => sum + size, 0);
}

function changelog(version: string, epochSeconds: number): string {
  const maintainer = /^Maintainer: (.*)$/m.exec(text("control.in"))![1]!;
  const date = new Date(epochSeconds * 1000).toUTCString().replace("GMT", "+0000");
  return `varta-watch (${version}) stable; urgency=medium

  * Built from upstream; its changes are in changelog.gz.

 -- ${maintainer}  ${date}
`;
}
