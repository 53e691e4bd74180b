import { type ChurnPlan, runChurn } from './churn.ts'

/*
 * A churning meeting in a process of its own: nothing else is on its heap, and nothing stands between
 * modules, as in a test runner. The plan is the argument, in JSON, and so is what it prints.
 */

const [plan = ''] = process.argv.slice(2)
console.log(JSON.stringify(await runChurn(JSON.parse(plan) as ChurnPlan)))
