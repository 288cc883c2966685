// Sums the runner's JSON reports and prints the closing line. Exit 1 when anything failed, was skipped or is missing.
import { readFileSync } from 'node:fs';

let passed = 0;
let failed = 0;
let fine = true;
for (const file of process.argv.slice(2)) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    passed += report.numPassedTests;
    failed += report.numFailedTests;
    const others = report.numTotalTests - report.numPassedTests - report.numFailedTests;
    if (others > 0) console.log(`${file}: ${others} tests neither passed nor failed`);
    if (!report.success || others > 0 || report.numTotalTests === 0) fine = false;
  } catch (e) {
    console.log(`${file}: no report (${e.message})`);
    fine = false;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(fine && failed === 0 ? 0 : 1);
