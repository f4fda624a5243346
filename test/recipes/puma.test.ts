// docs/how-to/recipes/puma.md, as written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({
  page: "puma",
  needs: { puma: "command -v puma", "ruby-sd-notify": "ruby -e 'require \"sd_notify\"'" },
  slowPath: "/slow",
});
