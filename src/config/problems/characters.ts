// Names of characters that a person cannot see or cannot tell from a plain one: what editors, chats
// and web pages leave in a pasted configuration. A message that only points at such a character
// points at nothing.

/** Characters by their code, with the words a message has for them. */
const NAMED: ReadonlyMap<number, string> = new Map([
  [0x00a0, "a non-breaking space"],
  [0x00ad, "an invisible soft hyphen"],
  [0x00ab, "a quotation mark"],
  [0x00bb, "a quotation mark"],
  [0x2010, "a typographic hyphen"],
  [0x2011, "a non-breaking hyphen"],
  [0x2013, "a dash"],
  [0x2014, "a dash"],
  [0x2018, "a curly quote"],
  [0x2019, "a curly quote"],
  [0x201a, "a curly quote"],
  [0x201c, "a curly quote"],
  [0x201d, "a curly quote"],
  [0x201e, "a curly quote"],
  [0x2032, "a prime"],
  [0x2033, "a double prime"],
  [0x200b, "an invisible zero-width space"],
  [0x200c, "an invisible zero-width character"],
  [0x200d, "an invisible zero-width character"],
  [0x2060, "an invisible word joiner"],
  [0x2026, "an ellipsis"],
  [0x2212, "a minus sign"],
  [0x3000, "an ideographic space"],
  [0xfeff, "an invisible byte order mark"],
  [0xfffd, "a replacement character"],
]);

/** Letters of other alphabets in order, and the Latin letters they are taken for. */
const LOOKALIKES = "асеорхуіјѕԁһӏԛԝАВЕЅІЈКМНОРСТХаοανΑΒΕΖΗΙΚΜΝΟΡΤΥΧ";
const LATIN = "aceopxyijsdhlqwABESIJKMHOPCTXaoavABEZHIKMNOPTYX";

/** What U+XXXX is in words; undefined for a character that says what it is. */
export function characterName(character: string): string | undefined {
  const code = character.codePointAt(0)!;
  const named = NAMED.get(code);
  if (named !== undefined) return named;
  const lookalike = [...LOOKALIKES].indexOf(character);
  if (lookalike >= 0)
    return `a ${alphabetOf(character)} letter that looks like ${LATIN[lookalike]}`;
  if (/\p{Zs}/u.test(character) && character !== " ") return "a space of another kind";
  if (code >= 0xff01 && code <= 0xff5e) return "a full-width character";
  if (/\p{Cf}/u.test(character)) return "an invisible character";
  if (/\p{Cc}/u.test(character) && character !== "\t") return "a control character";
  return undefined;
}

/** "U+00A0", with its name if it has one that helps. */
export function characterText(character: string): string {
  const code = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  const name = characterName(character);
  return name === undefined ? `U+${code}` : `U+${code}, ${name}`;
}

/** The first character of `text` that is not what it looks like; undefined if there is none. */
export function deceptiveCharacter(text: string): string | undefined {
  return [...text].find((character) => characterName(character) !== undefined);
}

function alphabetOf(character: string): string {
  return /\p{Script=Cyrillic}/u.test(character) ? "Cyrillic" : "Greek";
}
