// `npm run build`: installs and compiles what is not up to date.
import { prepare } from "./prepare.mjs";

prepare();
