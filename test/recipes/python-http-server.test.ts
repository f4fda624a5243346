// docs/how-to/recipes/python-http-server.md, as written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({ page: "python-http-server", needs: { python3: "command -v python3" } });
