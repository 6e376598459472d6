"""Small Python functions as JavaScript: as much of the language as the text rules need.

Functions of a match, of strings and of dicts, without classes, keywords or exceptions that are
caught. What they call of Python is in ``web/python.js``, which the module knows as ``py``. Syntax
that is not known here is an error, never a guess.
"""

import ast
import json
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from mamtra.errors import ModelError

BUILT_IN = frozenset(
    {"int", "float", "len", "str", "bool", "map", "any", "all", "sum", "zip", "next", "max", "min"}
    | {"range", "divmod"}
)
OPERATORS = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Sub: "-", ast.Mult: "*", ast.Mod: "%", ast.Div: "/",
}  # fmt: skip
EQUALITIES = {ast.Eq: "", ast.Is: "", ast.NotEq: "!", ast.IsNot: "!"}

NameOf = Callable[[Any, str, str], str]  # a global value, its name, its module: its name there


class Writer(ast.NodeVisitor):
    """Writes one function.

    Args:
        function: whose globals are known.
        name_of: gives the JavaScript name of a global value.
        room: package whose modules are written too; others are Python's own.

    Raises:
        ModelError: from each method, for syntax that has no form here.
    """

    def __init__(self, function: FunctionType, name_of: NameOf, room: str) -> None:
        self.scope, self.place = function.__globals__, function.__module__
        self.name_of, self.room = name_of, room
        self.locals: set[str] = set()

    def generic_visit(self, node: ast.AST) -> str:
        """What needs no method of its own; anything else is refused."""
        match node:
            case ast.Return(value):
                return f"return {'null' if value is None else self.visit(value)};"
            case ast.Raise(ast.Call(args=[message])):
                return f"throw new Error({self.visit(message)});"
            case ast.Break():
                return "break;"
            case ast.Constant(value):
                return json.dumps(value)
            case ast.IfExp(test, body, other):
                return f"({self.truth(test)} ? {self.visit(body)} : {self.visit(other)})"
            case ast.Tuple(elements) | ast.List(elements):
                return f"[{self.every(elements)}]"
            case ast.ListComp(element, generators) | ast.GeneratorExp(element, generators):
                return self.comprehension(element, generators)
            case ast.Starred(value):
                return f"...{self.visit(value)}"
            case _:
                raise ModelError(f"{ast.unparse(node)!r} in {self.place} has no form in JavaScript")

    def every(self, nodes: "list[ast.expr]") -> str:
        """Expressions with commas between them."""
        return ", ".join(map(self.visit, nodes))

    def body(self, nodes: "list[ast.stmt]") -> str:
        """Statements one after the other."""
        return "".join(map(self.visit, nodes))

    def truth(self, node: ast.expr) -> str:
        """A condition, with Python's idea of what is true."""
        return f"py.bool({self.visit(node)})"

    def module_of(self, node: ast.expr) -> ModuleType | None:
        """The module that a name stands for, if it does."""
        found = self.scope.get(node.id) if isinstance(node, ast.Name) else None
        return found if isinstance(found, ModuleType) else None

    # functions

    def parameters(self, arguments: ast.arguments) -> str:
        """Names and defaults."""
        names = [argument.arg for argument in arguments.args]
        self.locals.update(names)
        plain = len(names) - len(arguments.defaults)
        defaults = zip(names[plain:], arguments.defaults, strict=True)
        given = [f"{name} = {self.visit(value)}" for name, value in defaults]
        return ", ".join([*names[:plain], *given])

    def visit_Lambda(self, node: ast.Lambda) -> str:
        """A lambda."""
        outer = set(self.locals)
        found = f"(({self.parameters(node.args)}) => {self.visit(node.body)})"
        self.locals = outer
        return found

    def function(self, node: ast.FunctionDef, name: str) -> str:
        """A whole function under a name, its local variables declared first."""
        given = self.parameters(node.args)
        parameters = set(self.locals)
        stored = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
        self.locals |= {part.id for part in stored if isinstance(part.ctx, ast.Store)}
        own = sorted(self.locals - parameters)
        declared = f"let {', '.join(own)};" if own else ""
        return f"function {name}({given}) {{{declared}{self.body(node.body)}}}"

    # statements

    def visit_Expr(self, node: ast.Expr) -> str:
        """A statement that is a call; a docstring is left out."""
        is_docstring = isinstance(node.value, ast.Constant)
        return "" if is_docstring else f"{self.visit(node.value)};"

    def visit_Assign(self, node: ast.Assign) -> str:
        """An assignment."""
        (target,) = node.targets
        return f"{self.assigned(target)} = {self.visit(node.value)};"

    def visit_AnnAssign(self, node: ast.AnnAssign) -> str:
        """An assignment with a type."""
        assert node.value is not None
        return f"{self.assigned(node.target)} = {self.visit(node.value)};"

    def visit_AugAssign(self, node: ast.AugAssign) -> str:
        """``+=``."""
        if not isinstance(node.op, ast.Add):
            return self.generic_visit(node)
        target = self.assigned(node.target)
        return f"{target} = py.add({target}, {self.visit(node.value)});"

    def assigned(self, node: ast.expr) -> str:
        """What is assigned to: a name, several, or the last of a list."""
        match node:
            case ast.Name(name):
                self.locals.add(name)
                return name
            case ast.Tuple(elements):
                return f"[{', '.join(map(self.assigned, elements))}]"
            case ast.Subscript(ast.Name(name), ast.UnaryOp(ast.USub(), ast.Constant(1))):
                return f"{name}[{name}.length - 1]"
            case _:
                return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> str:
        """``if``."""
        other = f" else {{{self.body(node.orelse)}}}" if node.orelse else ""
        return f"if ({self.truth(node.test)}) {{{self.body(node.body)}}}{other}"

    def visit_For(self, node: ast.For) -> str:
        """``for``."""
        target = self.assigned(node.target)
        return f"for ({target} of {self.visit(node.iter)}) {{{self.body(node.body)}}}"

    def visit_While(self, node: ast.While) -> str:
        """``while``."""
        return f"while ({self.truth(node.test)}) {{{self.body(node.body)}}}"

    # expressions

    def visit_Name(self, node: ast.Name) -> str:
        """A local, something built in, or a global value."""
        if node.id in self.locals:
            return node.id
        if node.id in BUILT_IN:
            return f"py.{node.id}"
        return self.name_of(self.scope[node.id], node.id, self.place)

    def visit_Attribute(self, node: ast.Attribute) -> str:
        """An attribute, or a name in a module."""
        module = self.module_of(node.value)
        if module is None:
            return f"{self.visit(node.value)}.{node.attr}"
        if module.__name__.startswith(self.room):
            return self.name_of(getattr(module, node.attr), node.attr, module.__name__)
        return f"py.{module.__name__}_{node.attr}"

    def visit_Call(self, node: ast.Call) -> str:
        """A call of a function or a method."""
        if any(keyword.arg != "strict" for keyword in node.keywords):
            return self.generic_visit(node)
        given, called = self.every(node.args), node.func
        is_method = isinstance(called, ast.Attribute) and self.module_of(called.value) is None
        if is_method:
            assert isinstance(called, ast.Attribute)
            name = json.dumps(called.attr)
            return f"py.call({', '.join(filter(None, [self.visit(called.value), name, given]))})"
        return f"{self.visit(called)}({given})"

    def visit_JoinedStr(self, node: ast.JoinedStr) -> str:
        """A string with values inside."""
        return f"({' + '.join(map(self.visit, node.values))})"

    def visit_FormattedValue(self, node: ast.FormattedValue) -> str:
        """A value inside a string."""
        form = "" if node.format_spec is None else ast.unparse(node.format_spec)[2:-1]
        inside = f"py.str({self.visit(node.value)})"
        if form in ("", "g"):
            return inside
        if form[1] != "<":
            return self.generic_visit(node)
        return f"{inside}.padEnd({form[2:]}, {json.dumps(form[0])})"

    def visit_Subscript(self, node: ast.Subscript) -> str:
        """An entry, or a part."""
        if isinstance(node.slice, ast.Slice):
            ends = [node.slice.lower, node.slice.upper]
            first, last = ("null" if end is None else self.visit(end) for end in ends)
            return f"py.slice({self.visit(node.value)}, {first}, {last})"
        return f"py.at({self.visit(node.value)}, {self.visit(node.slice)})"

    def visit_BoolOp(self, node: ast.BoolOp) -> str:
        """``and`` and ``or``, which end early."""
        name = "or" if isinstance(node.op, ast.Or) else "and"
        return f"py.{name}({', '.join(f'() => {self.visit(value)}' for value in node.values)})"

    def visit_UnaryOp(self, node: ast.UnaryOp) -> str:
        """``not`` and minus."""
        is_not = isinstance(node.op, ast.Not)
        return f"!{self.truth(node.operand)}" if is_not else f"-{self.visit(node.operand)}"

    def visit_BinOp(self, node: ast.BinOp) -> str:
        """Arithmetic, and what ``+`` joins."""
        a, b = self.visit(node.left), self.visit(node.right)
        if isinstance(node.op, ast.Add):
            return f"py.add({a}, {b})"
        if isinstance(node.op, ast.FloorDiv):
            return f"Math.floor({a} / {b})"
        sign = OPERATORS.get(type(node.op))  # pyright: ignore[reportArgumentType, reportCallIssue]
        return f"({a} {sign} {b})" if sign else self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> str:
        """Comparisons, also several in a row."""
        sides, found = [node.left, *node.comparators], list[str]()
        for left, sign, right in zip(sides[:-1], node.ops, sides[1:], strict=True):
            a, b, kind = self.visit(left), self.visit(right), type(sign)
            if kind in EQUALITIES:
                found.append(f"{EQUALITIES[kind]}py.eq({a}, {b})")  # pyright: ignore[reportArgumentType]
            elif kind in (ast.In, ast.NotIn):
                found.append(f"{'!' if kind is ast.NotIn else ''}py.in({a}, {b})")
            else:
                found.append(f"{a} {OPERATORS[kind]} {b}")  # pyright: ignore[reportArgumentType]
        return f"({' && '.join(found)})"

    def visit_Dict(self, node: ast.Dict) -> str:
        """A dict."""
        keys = [key for key in node.keys if key is not None]
        pairs = zip(map(self.visit, keys), map(self.visit, node.values), strict=True)
        return f"new Map([{', '.join(f'[{key}, {value}]' for key, value in pairs)}])"

    def visit_DictComp(self, node: ast.DictComp) -> str:
        """A dict from a loop."""
        pair = ast.Tuple([node.key, node.value], ast.Load())
        return f"new Map({self.comprehension(pair, node.generators)})"

    def comprehension(self, element: ast.expr, generators: "list[ast.comprehension]") -> str:
        """A list of what one or more loops give."""
        first, rest = generators[0], generators[1:]
        outer, source = set(self.locals), self.visit(first.iter)
        target = self.assigned(first.target)
        tests = "".join(f".filter(({target}) => {self.truth(test)})" for test in first.ifs)
        inside = self.comprehension(element, rest) if rest else self.visit(element)
        self.locals = outer
        return f"[...{source}]{tests}.{'flatMap' if rest else 'map'}(({target}) => {inside})"

    def visit_NamedExpr(self, node: ast.NamedExpr) -> str:
        """An assignment inside an expression."""
        return f"({self.assigned(node.target)} = {self.visit(node.value)})"
