"""Each rule of docs/parity.md switched off, one at a time: the test that shows it must then fail, and say why.

A case is a function that takes the rule out of the product with a monkeypatch. It names the rows and the test of the
page, and a part of what that test complains of without the rule. The cases stand in the modules of this folder, in the
order of the page; ``test_rules_switched_off.py`` plays them, ``child/sitecustomize.py`` carries them into processes.
"""
