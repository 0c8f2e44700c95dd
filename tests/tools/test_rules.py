"""The rule pages, the cases that pin them and the code that cites them stay in step."""

import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Rules(unittest.TestCase):
    def test_pages_cases_and_code_agree(self):
        done = subprocess.run([sys.executable, ROOT / "tools" / "check-rules"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
