/** A worker of {@linkcode verifyInWorkers}. */
import { serve } from "../workers.ts";
import { type VerifyQuestion, verifyStretch } from "./verify_parallel.ts";

serve((trace, { stretch }: VerifyQuestion) => (part) => verifyStretch(trace, stretch, part));
