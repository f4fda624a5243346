// docs/how-to/recipes/lighttpd.md, as it is written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({ page: "lighttpd", needs: { lighttpd: "command -v lighttpd" } });
