// docs/how-to/recipes/gunicorn.md, as written, under load.
import { testRecipe } from "./recipe.ts";

testRecipe({ page: "gunicorn", needs: { gunicorn: "command -v gunicorn" }, slowPath: "/slow" });
