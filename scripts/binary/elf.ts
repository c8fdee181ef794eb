// As much of a 64-bit little-endian ELF executable as its entry point needs: where an address lies
// in the file, what it offers to others, and what it takes from the C library.

const SHT_DYNSYM = 11;
const PT_LOAD = 1;
/** Sizes of Elf64_Phdr, Elf64_Shdr and Elf64_Sym. */
const PHDR_BYTES = 56;
const SHDR_BYTES = 64;
const SYM_BYTES = 24;

export interface ElfSymbol {
  readonly address: number;
  readonly size: number;
}

export interface Elf {
  /** e_machine */
  readonly machine: number;
  readonly entry: number;
  setEntry(address: number): void;
  /** Offset in the file of what is mapped at `address`. */
  offsetOf(address: number): number;
  /** A function that it offers. */
  symbol(name: string): ElfSymbol | undefined;
  /** Whether it takes `name` from a library. */
  imports(name: string): boolean;
  /**
   * Makes it take `to` wherever it takes `from`. They have the same length, and both are imports
   * already.
   */
  renameImport(from: string, to: string): void;
}

export function isElf(file: Buffer): boolean {
  return file.length >= 4 && file.readUInt32BE(0) === 0x7f454c46;
}

export function elfOf(file: Buffer): Elf {
  if (!isElf(file)) throw new Error("Not an ELF executable");
  const symbols = readSymbols(file);
  const find = (name: string, isImport: boolean) =>
    symbols.find((symbol) => symbol.name === name && symbol.isImport === isImport);
  return {
    machine: file.readUInt16LE(18),
    entry: Number(file.readBigUInt64LE(24)),
    setEntry: (address) => void file.writeBigUInt64LE(BigInt(address), 24),
    offsetOf: (address) => offsetOf(file, address),
    symbol: (name) => find(name, false),
    imports: (name) => find(name, true) !== undefined,
    renameImport(from, to) {
      const symbol = find(from, true);
      if (symbol === undefined || from.length !== to.length || find(to, true) === undefined)
        throw new Error(`Cannot make the runtime take ${to} for ${from}: it takes not both`);
      file.write(to, symbol.nameAt, "latin1");
    },
  };
}

interface NamedSymbol extends ElfSymbol {
  readonly name: string;
  /** Offset of the name in the file. */
  readonly nameAt: number;
  readonly isImport: boolean;
}

function readSymbols(file: Buffer): NamedSymbol[] {
  const table = sections(file).find(({ type }) => type === SHT_DYNSYM);
  if (table === undefined) throw new Error("Cannot read the executable: it has no dynamic symbols");
  const strings = sections(file)[table.link]!;
  const found: NamedSymbol[] = [];
  for (let at = table.offset; at < table.offset + table.size; at += SYM_BYTES) {
    const nameAt = strings.offset + file.readUInt32LE(at);
    found.push({
      name: file.toString("latin1", nameAt, file.indexOf(0, nameAt)),
      nameAt,
      isImport: file.readUInt16LE(at + 6) === 0,
      address: Number(file.readBigUInt64LE(at + 8)),
      size: Number(file.readBigUInt64LE(at + 16)),
    });
  }
  return found;
}

function sections(file: Buffer) {
  const table = Number(file.readBigUInt64LE(40));
  return Array.from({ length: file.readUInt16LE(60) }, (_, index) => {
    const at = table + index * SHDR_BYTES;
    return {
      type: file.readUInt32LE(at + 4),
      offset: Number(file.readBigUInt64LE(at + 24)),
      size: Number(file.readBigUInt64LE(at + 32)),
      link: file.readUInt32LE(at + 40),
    };
  });
}

function offsetOf(file: Buffer, address: number): number {
  const table = Number(file.readBigUInt64LE(32));
  for (let index = 0; index < file.readUInt16LE(56); index++) {
    const at = table + index * PHDR_BYTES;
    const offset = Number(file.readBigUInt64LE(at + 8));
    const start = Number(file.readBigUInt64LE(at + 16));
    const bytes = Number(file.readBigUInt64LE(at + 32));
    const isIn = file.readUInt32LE(at) === PT_LOAD && address >= start && address < start + bytes;
    if (isIn) return offset + address - start;
  }
  throw new Error(`Cannot read the executable: nothing in it is mapped at ${address}`);
}
