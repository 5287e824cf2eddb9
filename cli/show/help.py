"""Help pages with grouped options, and usage errors in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

from cli.options import COMMON, PATHS
from cli.show.text import visible

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter, Parameter
    from typer.core import TyperOption

_MOST_UNGROUPED = 8
"""A shorter list of options is shown as one."""


class Command(TyperCommand):
    """A command whose help shows long lists of options in groups, those of ``rich_help_panel``."""

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Return what follows the command's name in its usage line."""
        arguments = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        return [self.options_metavar or "", *map(_usage, arguments)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the arguments and options of the command."""
        _write_groups(self.get_params(ctx), formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(self.epilog, formatter)

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """Return the option ``--help``."""
        return _help_option(super().get_help_option(ctx))

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse the arguments; reword what typer says about wrong ones, and refuse texts that cannot be stored."""
        try:
            rest = super().parse_args(ctx, args)
            _require_utf8(self.get_params(ctx), ctx)
            return rest
        except Exception as error:
            if isinstance(message := getattr(error, "message", None), str):
                setattr(error, "message", _reworded(message, ctx))  # noqa: B010 (not in its type)
            raise


class Group(TyperGroup):
    """The program; its commands are ``Command``."""

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the options of the program, then its commands."""
        _write_groups(self.get_params(ctx), formatter)
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(self.epilog, formatter)

    def get_help_option(self, ctx: Context) -> TyperOption | None:
        """Return the option ``--help``."""
        return _help_option(super().get_help_option(ctx))


def _require_utf8(params: list[Parameter], ctx: Context) -> None:
    """Refuse a value that holds bytes which are not UTF-8; paths may.

    Raises:
        typer.BadParameter: with the name of the option.
    """
    for param in params:
        value = ctx.params.get(str(param.name))
        for text in value if isinstance(value, list | tuple) else [value]:
            if isinstance(text, str) and param.metavar not in PATHS and text != text.encode(errors="replace").decode():
                message = f"'{visible(text)}' holds bytes that are not UTF-8; give it as UTF-8."
                raise BadParameter(message, ctx=ctx, param_hint=f"'{_hint(param)}'")


def _hint(param: Parameter) -> str:
    return "' / '".join(param.opts) if param.param_type_name == "option" else str(param.metavar)


def _help_option(option: TyperOption | None) -> TyperOption | None:
    if option is not None:
        option.default = False  # typer converts None with pydantic, and importing that doubles the time of a help page
        option.rich_help_panel = COMMON
    return option


def _write_examples(epilog: str | None, formatter: HelpFormatter) -> None:
    if epilog:
        formatter.write_paragraph()
        formatter.write_text(epilog)


def _usage(argument: Parameter) -> str:
    name = argument.metavar or str(argument.name).upper()
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs != 1 else "")


def _write_groups(params: list[Parameter], formatter: HelpFormatter) -> None:
    shown = [param for param in params if not getattr(param, "hidden", False)]
    names = {param: _name(param) for param in shown}
    width = max(map(len, names.values()), default=0)
    is_long = sum(param.param_type_name == "option" for param in shown) > _MOST_UNGROUPED
    titles: dict[str, list[Parameter]] = {}
    for param in shown:
        titles.setdefault(_title(param, is_long=is_long), []).append(param)
    for title, members in titles.items():
        with formatter.section(title):
            formatter.write_dl([(f"{names[param]:<{width}}", _text(param)) for param in members])


def _title(param: Parameter, *, is_long: bool) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return (is_long and getattr(param, "rich_help_panel", None)) or "Options"


def _name(param: Parameter) -> str:
    if param.param_type_name == "argument":
        return f"{param.metavar}{'...' if param.nargs != 1 else ''}"
    short = [name for name in param.opts if not name.startswith("--")]
    long = [name for name in param.opts if name.startswith("--")]
    indent = "" if short else " " * len("-x, ")
    value = "" if getattr(param, "is_flag", False) else f" {param.metavar}"
    return indent + ", ".join(short + long) + value


def _text(param: Parameter) -> str:
    notes = []
    if param.default is not None and param.default is not False and getattr(param, "show_default", False):
        notes.append(f"default: {param.default}")
    if param.envvar:
        notes.append(f"env: {param.envvar}")
    if param.required and param.param_type_name == "option":
        notes.append("required")
    text = getattr(param, "help", None) or ""
    return f"{text}  [{'; '.join(notes)}]" if notes else text


def _reworded(message: str, ctx: Context) -> str:
    message = message.removeprefix("Value error, ").replace("Input should be", "must be")
    message = message.partition(", unable to parse")[0]
    if message.startswith("Got unexpected extra argument"):
        return f"{message.rstrip('.')}.{_in_quotes(ctx, message)}"
    return message


def _in_quotes(ctx: Context, message: str) -> str:
    """Return the hint that a text or path of several words belongs in quotes; for a single text, with these words."""
    taken = [param for param in ctx.command.params if param.param_type_name == "argument" and param.nargs == 1]
    if not taken:
        return ""
    kind = "path" if any(param.metavar in PATHS for param in taken) else "text"
    text = ctx.params.get(str(taken[0].name))
    others = message.rstrip(".").rpartition(" (")[2].removesuffix(")")
    example = f': dedup {ctx.info_name} "{text} {others}"' if len(taken) == 1 and kind == "text" else "."
    return f" Put a {kind} with spaces in quotes{example}"
