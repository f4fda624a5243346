// Command lines split into words as sh(1) does it.
import { expect, test } from "bun:test";
import { shellWords } from "../../src/frontends/einhorn/shell-words.ts";

test.each([
  ["bundle exec einhorn", ["bundle", "exec", "einhorn"]],
  ["  a\tb\n", ["a", "b"]],
  ["a'b c'\"d e\"f", ["ab cd ef"]],
  ["a '' \"\"", ["a", "", ""]],
  ['"a\\"b\\$c\\d" \'e\\f\'', ['a"b$c\\d', "e\\f"]],
  ["a\\ b \\'c", ["a b", "'c"]],
  ["~ $HOME *", ["~", "$HOME", "*"]],
])("%j has the words %j", (text, words) => {
  expect<readonly string[]>(shellWords("--x", text)).toEqual(words);
});

test("an unclosed quote and an empty command are refused", () => {
  for (const text of ["a 'b", 'a "b', "a\\", 'a "b\\"'])
    expect(() => shellWords("--x", text)).toThrow("unclosed quote");
  for (const text of ["", "  "]) expect(() => shellWords("--x", text)).toThrow("--x requires a command");
});
