/** Text that a stranger may choose: what a terminal obeys, what deceives its reader, and what ends something in a format. */

/** By name, a word with it inside. */
export const hostileTexts: Readonly<Record<string, string>> = {
  'a control sequence': 'x\u001b[2J\u001b]0;owned\u0007y',
  'the same in C1': 'x\u009b2J\u009d0;owned\u009cy',
  'every control of C0, and DEL': `x${range(0, 0x1f)}\u007fy`,
  'every control of C1': `x${range(0x80, 0x9f)}y`,
  'marks of direction': `x${range(0x202a, 0x202e)}${range(0x2066, 0x2069)}\u200e\u200f\u061cy`,
  'separators of lines and paragraphs': 'x\u2028y\u2029z',
  'lone surrogates': 'x\ud800y\udfffz\udc00\ud83d',
  'what has no width': 'x\u200by\u200c\u200d\u2060\u00ad\ufeffz',
  noncharacters: 'x\ufffe\uffff\u{1fffe}y',
  'ends of lines': 'x\r\ny\nz\rUP 127.0.0.1:1 up',
  'the end of XML': `x]]></failure><script a='b'>&amp;<!--\u0000y`,
  'the end of a cell': 'x",=cmd|\'/c calc\'!A1,"\r\n=1+1,y',
  'performance data': 'x | up=9;;;0;9\nOK - all is well | down=0',
  'a sample of its own': 'x"} 1\nprobe_success{target="victim:1"} 1\n#\\',
  'the end of JSON': 'x"}\n{"target":"victim:1","status":"up"}\n\\',
}

function range(first: number, last: number): string {
  return Array.from({ length: last - first + 1 }, (_, i) => String.fromCharCode(first + i)).join('')
}

/** What may never be written as it is, but for the ends of lines that a format has itself. A set of its own: not the pattern under test. */
export const rawHostile =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/
