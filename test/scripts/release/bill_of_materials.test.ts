// The bill of materials names what is in the executable, and nothing of what only builds it.
import { expect, test } from "bun:test";
import { bundledPackages, lockedPackage } from "../../../scripts/binary/target.ts";
import { billOfMaterials } from "../../../scripts/release/bill_of_materials.ts";

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version?: string;
  readonly licenses: readonly { readonly expression: string }[];
  readonly hashes?: readonly { readonly content: string }[];
  readonly components?: readonly Component[];
}

interface Bill {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly metadata: { readonly timestamp: string; readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

const OPTIONS = { version: "0.2.0", epochSeconds: 1_795_000_000 };
const bill = JSON.parse(billOfMaterials(OPTIONS)) as Bill;
const runtime = bill.components.find(({ name }) => name === "bun")!;
const all = [bill.metadata.component, ...bill.components, ...runtime.components!];

/** The licences that SPDX calls so, of those that are bundled. */
const SPDX =
  /^(MIT|Apache-2\.0|BSD-[23]-Clause|ISC|Zlib|Unicode-3\.0|blessing|LGPL-2\.[01]-or-later)$/;

test("the bill has every package that is bundled, at the version and with the hash of the lock file", () => {
  const bundled = Object.entries(bundledPackages());
  expect(bill.components.map(({ name }) => name)).toEqual([
    ...bundled.map(([name]) => name),
    "bun",
  ]);
  for (const [name, { version, integrity }] of bundled) {
    const component = bill.components.find((each) => each.name === name)!;
    expect(component.version).toBe(version);
    const hash = Buffer.from(component.hashes![0]!.content, "hex").toString("base64");
    expect(`sha512-${hash}`).toBe(integrity);
  }
});

test("the bill has the runtime with its executables and the libraries in it", () => {
  expect(runtime.version).toBe(lockedPackage("bun").version);
  const names = runtime.components!.map(({ name }) => name);
  expect(names).toContain("@oven/bun-linux-x64");
  expect(names).toContain("@oven/bun-linux-aarch64");
  for (const library of ["WebKit", "boringssl", "sqlite", "zstd"]) expect(names).toContain(library);
});

test("every licence is one that SPDX knows", () => {
  for (const { licenses } of all)
    for (const word of licenses[0]!.expression.split(/ AND | OR /)) expect(word).toMatch(SPDX);
});

test("every dependency leads to a component, and every component is one", () => {
  const refs = all.map((component) => component["bom-ref"]);
  expect(new Set(refs).size).toBe(refs.length);
  const wanted = new Set(bill.dependencies.flatMap(({ dependsOn }) => dependsOn));
  expect([...wanted].sort()).toEqual(refs.slice(1).sort());
  for (const { ref } of bill.dependencies) expect(refs).toContain(ref);
});

test("the bill is the same for the same commit, whenever it is made", () => {
  expect(billOfMaterials(OPTIONS)).toBe(billOfMaterials(OPTIONS));
  expect([bill.bomFormat, bill.specVersion]).toEqual(["CycloneDX", "1.6"]);
  expect(bill.metadata.timestamp).toBe("2026-11-18T11:06:40Z");
  expect(bill).not.toHaveProperty("serialNumber");
});
