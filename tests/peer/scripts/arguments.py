"""Print, as JSON, the arguments of the operators that people move from; runs in the environment that holds them."""

import ast
import importlib.util
import json

OPERATORS = {
    "KubernetesPodOperator": "airflow.providers.cncf.kubernetes.operators.pod",
    "ArmadaOperator": "armada.operators.armada",
}


def arguments(operator: str, module: str) -> list[str]:
    """Read them from the source: importing the modules would take seconds."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    with open(spec.origin) as file:
        tree = ast.parse(file.read())
    made = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == operator)
    init = next(node for node in made.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    return [one.arg for one in (*init.args.args, *init.args.kwonlyargs) if one.arg != "self"]


print(json.dumps({operator: arguments(operator, module) for operator, module in OPERATORS.items()}))
