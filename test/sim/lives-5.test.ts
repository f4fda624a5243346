import { expect, test } from "bun:test";
import { testLives } from "./lives.ts";
import { live } from "./world.ts";

testLives(5);

test("the same seed is the same life", async () => {
  expect(await live(42, "anywhere")).toEqual(await live(42, "anywhere"));
});
