"""What MkDocs does not find in ``docs/``: arguments, examples, the changelog, the report of the benchmarks."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path
from typing import Any

import griffe
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "example_dags"
ARGUMENTS = ROOT / "airflow_armada" / "task" / "arguments"
# The classes that declare the operator's arguments, from the outermost to the innermost level.
DECLARED = {
    "TaskArguments": (ARGUMENTS / "task_arguments.py", "The task"),
    "ContainerArguments": (ARGUMENTS / "declared.py", "The main container"),
    "PodArguments": (ARGUMENTS / "declared.py", "The pod"),
    "JobArguments": (ARGUMENTS / "declared.py", "The job"),
}
# Arguments that their operator keeps under another name.
KEPT_AS = {"extra_links": "link_templates"}
# Where a link from a page to a file of the repository leads on the site.
ELSEWHERE = {
    "airflow_armada/task/arguments/declared.py": "reference/arguments.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/report.md": "benchmarks.md",
    "example_dags": "examples/index.md",
    "example_dags/": "examples/index.md",
}


def example_files() -> list[Path]:
    """Return the files of the examples that have a page."""
    return sorted(file for kind in ("py", "yaml", "json") for file in EXAMPLES.rglob(f"*.{kind}"))


def example_page(file: Path) -> str:
    """Return the address of an example's page."""
    return f"examples/{file.relative_to(EXAMPLES).as_posix().replace('/', '-').replace('.', '-')}.md"


def said_by(file: Path) -> str:
    """Return what an example says about itself, in one line."""
    text = file.read_text()
    if file.suffix == ".py":
        return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    comment = re.match(r"(?:#[^\n]*\n)+", text)
    return " ".join(line.lstrip("# ") for line in comment[0].splitlines()) if comment else "a job in a file"


def argument_rows(file: Path, class_name: str) -> list[str]:
    """Return a row for each argument that a class declares: name, type, default, whether templated, meaning."""
    tree = ast.parse(file.read_text())
    (declared,) = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == class_name)
    (init,) = (node for node in declared.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    (templated,) = (node for node in declared.body if ast.unparse(node).startswith("template_fields:"))
    fields = {node.value for node in ast.walk(templated) if isinstance(node, ast.Constant)}
    meaning = dict(re.findall(r":param (\w+): (.*?)(?=\n:|\Z)", ast.get_docstring(declared) or "", re.DOTALL))
    rows = []
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        kind = ast.unparse(argument.annotation) if argument.annotation else ""
        shown = "" if default is None else f"`{ast.unparse(default)}`"
        said = " ".join(plain(meaning[argument.arg]).split())
        templated = "yes" if KEPT_AS.get(argument.arg, argument.arg) in fields else ""
        rows.append(f"| `{argument.arg}` | `{kind}` | {shown} | {templated} | {said} |")
    return rows


def plain(text: str) -> str:
    """Turn the markup of docstrings into that of the pages."""
    text = re.sub(r":(?:class|func|meth|mod|data|attr|exc):`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", text)
    return text.replace("``", "`")


def arguments_page() -> str:
    page = [
        "# Arguments of `ArmadaOperator`",
        "",
        "`@task.armada` and `@task.armada_cmd` take the same, except for what they make themselves. The arguments of",
        "every Airflow operator (`retries`, `execution_timeout`, `pool`, ...) come on top. *Templated* arguments may",
        "hold Jinja expressions and other tasks' outputs.",
    ]
    for class_name, (file, title) in DECLARED.items():
        page += ["", f"## {title}", "", "| argument | type | default | templated | meaning |", "|---|---|---|---|---|"]
        page += argument_rows(file, class_name)
    return "\n".join(page) + "\n"


def settings_page() -> str:
    """Return the settings of the section ``[armada]``, and the fields of the connection, as Airflow is told of them."""
    sys.path.insert(0, str(ROOT))
    told = importlib.import_module("airflow_armada.provider_info").get_provider_info()
    page = [
        "# Settings and connection fields",
        "",
        "## `[armada]` in Airflow's configuration",
        "",
        "As an environment variable, a setting is called `AIRFLOW__ARMADA__` and its name in capitals.",
        "",
        "| setting | default | meaning |",
        "|---|---|---|",
    ]
    for name, option in told["config"]["armada"]["options"].items():
        default = f"`{option['default']}`" if option["default"] else ""
        page.append(f"| `{name}` | {default} | {cell(option['description'])} |")
    page += [
        "",
        "## The connection",
        "",
        "The page [Connections](../connections.md) shows how they go together. Fields that are not in this table are",
        "Airflow's own: host, port, login and password.",
        "",
        "| field | in the form | meaning |",
        "|---|---|---|",
    ]
    for name, field in told["connection-types"][0]["conn-fields"].items():
        page.append(f"| `{name}` | {cell(field['label'])} | {cell(field.get('description') or '')} |")
    return "\n".join(page) + "\n"


def cell(text: str) -> str:
    """Let a text stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "&#124;").replace("<", "&lt;").replace("*", "&#42;")


class Docstrings(griffe.Extension):
    """Let the pages show roles such as ``:class:`` as code."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = plain(obj.docstring.value)
            # Griffe knows the fields of a named tuple, but not that it is made with them.
            if obj.is_class and "NamedTuple" in map(str, obj.bases):
                obj.docstring.value = obj.docstring.value.replace(":param ", ":ivar ")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made of other files."""
    index = ["# Examples", "", "Copy these first. Each of them runs in the tests.", ""]
    for file in example_files():
        name, said = file.relative_to(EXAMPLES).as_posix(), said_by(file)
        code = f"```{'python' if file.suffix == '.py' else 'yaml'}\n{file.read_text()}```"
        add(files, config, example_page(file), f"# `{name}`\n\n{said}\n\n{code}\n")
        index.append(f"- [`{name}`]({Path(example_page(file)).name}): {said}")
    add(files, config, "examples/index.md", "\n".join(index) + "\n")
    add(files, config, "reference/arguments.md", arguments_page())
    add(files, config, "reference/settings.md", settings_page())
    add(files, config, "changelog.md", (ROOT / "CHANGELOG.md").read_text())
    add(files, config, "benchmarks.md", (ROOT / "benchmarks" / "report.md").read_text())
    for picture in (ROOT / "benchmarks").glob("*.svg"):
        add(files, config, picture.name, picture.read_bytes())
    return files


def add(files: Files, config: Any, address: str, content: str | bytes) -> None:
    listed = InclusionLevel.NOT_IN_NAV if address.startswith("examples/") else InclusionLevel.UNDEFINED
    files.append(File.generated(config, address, content=content, inclusion=listed))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links to files of the repository lead to their pages; a file without a page becomes its name."""
    up = "../" * page.file.src_uri.count("/")

    def lead(found: re.Match[str]) -> str:
        text, target = found["text"], found["target"]
        if target in ELSEWHERE:
            return f"[{text}]({up}{ELSEWHERE[target]})"
        if (file := ROOT / target).is_file() and file.is_relative_to(EXAMPLES):
            return f"[{text}]({up}{example_page(file)})"
        return text if text.startswith("`") else f"`{target}`"

    return re.sub(rf"\[(?P<text>[^\]]+)\]\({re.escape(up)}\.\./(?P<target>[^)#]+)(?:#[^)]*)?\)", lead, markdown)
