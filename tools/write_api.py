"""Writes docs/api.md, the reference of the public names, from their docstrings.

    python tools/write_api.py

reads the source and imports nothing, so it runs without any package. A test compares the page with
what this would write.
"""

import ast
import inspect
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
PAGE = ROOT / "docs" / "api.md"
HEAD = """# Python

Everything that `import mamtra` offers. Written by `python tools/write_api.py` from the docstrings.
"""
SECTION = re.compile(r"^(Args|Attributes|Raises|Yields|Returns):$")
ITEM = re.compile(r"^    (?! )(?:([\w*, ]+): )?(.*)$")

Definition = ast.FunctionDef | ast.ClassDef


def tree_of(module: str) -> ast.Module:
    """The syntax tree of a module of this project."""
    path = SOURCE / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def public_names() -> dict[str, str]:
    """Each public name and the module that defines it, in the order of ``HOMES``."""
    for node in tree_of("mamtra").body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "HOMES":
            return ast.literal_eval(node.value)
    raise LookupError("mamtra/__init__.py has no HOMES")


def prose(node: Definition) -> list[str]:
    """A docstring as Markdown: its sections become lists."""
    lines: list[str] = []
    inside = False
    for line in inspect.cleandoc(ast.get_docstring(node) or "").splitlines():
        section = SECTION.match(line)
        item = ITEM.match(line) if inside else None
        if section:
            inside = True
            lines += (
                [f"{section[1]}:", ""] if not lines or lines[-1] == "" else ["", f"{section[1]}:"]
            )
        elif item:
            lines.append(f"- `{item[1]}`: {item[2]}" if item[1] else f"- {item[2]}")
        elif inside and line.startswith("        "):
            lines[-1] += f" {line.strip()}"
        else:
            inside = inside and not line.strip()
            lines.append(line)
    return [line.replace("``", "`") for line in lines]


def parameters(node: ast.FunctionDef, method: bool) -> str:
    """The arguments of a function as they are declared, without ``self``."""
    text = ast.unparse(node.args)
    text = re.sub(r"^(self|cls)(, )?", "", text) if method else text
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({text}){returned}"


def is_property(node: ast.FunctionDef) -> bool:
    """Whether it is read like an attribute."""
    return any(ast.unparse(decorator).endswith("property") for decorator in node.decorator_list)


def fields_of(node: ast.ClassDef) -> str:
    """The fields of a dataclass with their types and defaults; empty where there are none."""
    shown = [
        ast.unparse(item)
        for item in node.body
        if isinstance(item, ast.AnnAssign) and not ast.unparse(item.target).startswith("_")
    ]
    return ", ".join(shown)


def heading(node: Definition) -> list[str]:
    """The first lines of an entry: the name, and how it is called."""
    if isinstance(node, ast.FunctionDef):
        call = parameters(node, method=False)
    else:
        made = [
            item
            for item in node.body
            if isinstance(item, ast.FunctionDef) and item.name == "__init__"
        ]
        call = parameters(made[0], method=True) if made else f"({fields_of(node)})"
        call = call.removesuffix(" -> None")
    return [f"## {node.name}", "", "```py", f"{node.name}{call}", "```", ""]


def members(node: ast.ClassDef) -> list[str]:
    """The public methods and properties of a class."""
    lines: list[str] = []
    for item in node.body:
        if not isinstance(item, ast.FunctionDef) or item.name.startswith("_"):
            continue
        call = "" if is_property(item) else parameters(item, method=True)
        returned = f" -> {ast.unparse(item.returns)}" if is_property(item) and item.returns else ""
        lines += ["", f"### {node.name}.{item.name}", "", "```py", f"{item.name}{call}{returned}"]
        lines += ["```", "", *prose(item)]
    return lines


def errors() -> list[str]:
    """The tree of errors as a table."""
    lines = ["", "## Errors", "", "| error | is a | exit code | raised for |", "|---|---|---|---|"]
    codes: dict[str, int] = {}
    for node in tree_of("mamtra.errors").body:
        if not isinstance(node, ast.ClassDef):
            continue
        parents = [ast.unparse(base) for base in node.bases]
        own = [item.value for item in node.body if isinstance(item, ast.Assign)]
        codes[node.name] = ast.literal_eval(own[0]) if own else codes[parents[0]]
        doc = " ".join((ast.get_docstring(node) or "").split())
        names = ", ".join(f"`{parent}`" for parent in parents)
        lines.append(f"| `{node.name}` | {names} | {codes[node.name]} | {doc} |")
    return lines


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for name, module in public_names().items():
        if module == "mamtra.errors":
            continue
        (node,) = [
            item
            for item in tree_of(module).body
            if isinstance(item, ast.FunctionDef | ast.ClassDef) and item.name == name
        ]
        lines += [*heading(node), *prose(node)]
        lines += members(node) if isinstance(node, ast.ClassDef) else []
        lines.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join([*lines, *errors()])) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
