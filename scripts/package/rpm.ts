// An RPM package of files that are already made: the spec file compiles nothing, and all that
// rpmbuild does to executables by default is switched off there, because stripping destroys these.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../binary/target.ts";
import {
  type BuiltPackage,
  compressionLevel,
  type MappedFile,
  mappedFiles,
  type PackageJob,
  runTool,
  settle,
  stage,
} from "./stage.ts";

export function buildRpm(job: PackageJob): BuiltPackage {
  const root = join(job.work, "root");
  stage(root, "rpm", job);
  settle(root, job.epochSeconds);
  const list = join(job.work, "files");
  writeFileSync(list, mappedFiles("rpm").map(fileLine).join(""));
  const { rpm } = job.architecture;
  const defines = [
    `_topdir ${job.work}/rpm`,
    `_rpmdir ${job.work}/out`,
    "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    `varta_version ${job.version}`,
    `varta_release ${job.release}`,
    `varta_date ${changelogDate(job.epochSeconds)}`,
    `varta_root ${root}`,
    `varta_files ${list}`,
    `_binary_payload w${compressionLevel(job)}.zstdio`,
  ];
  mkdirSync(join(job.work, "rpm"));
  const spec = join(ROOT, "packaging/rpm/varta-watch.spec");
  const defined = defines.flatMap((define) => ["--define", define]);
  runTool(["rpmbuild", "-bb", "--quiet", "--target", `${rpm}-linux`, ...defined, spec], job);
  const name = `varta-watch-${job.version}-${job.release}.${rpm}.rpm`;
  const path = join(job.out, name);
  runTool(["cp", join(job.work, "out", name), path], job);
  const unpacked = join(job.work, "unpacked");
  mkdirSync(unpacked);
  const unpack = 'rpm2cpio "$1" | (cd "$2" && cpio --quiet -id)';
  runTool(["sh", "-c", unpack, "sh", path, unpacked], job);
  return { path, binary: join(unpacked, "usr/bin/varta-watch") };
}

function fileLine({ destination, mode, kind }: MappedFile): string {
  const words = {
    plain: "",
    gz: "%doc ",
    doc: "%doc ",
    license: "%license ",
    config: "%config(noreplace) ",
  };
  return `${words[kind]}%attr(${mode.toString(8).padStart(4, "0")},root,root) ${destination}\n`;
}

/** "Fri Nov 20 2026" */
function changelogDate(epochSeconds: number): string {
  const [weekday, day, month, year] = new Date(epochSeconds * 1000).toUTCString().split(/,? /);
  return `${weekday} ${month} ${day} ${year}`;
}
