"""Groups of choices that have a name for those who hear them; the theme's are bare boxes under a label of nothing."""

from __future__ import annotations

from typing import Any

from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminRadioSelectWidget


class _Named:
    template_name = "paravent/choice_group.html"
    role: str

    def __init__(self, name: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group_name = name

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)  # type: ignore[misc]
        return {**context, "group_name": self.group_name, "group_role": self.role}


class CheckboxGroup(_Named, UnfoldAdminCheckboxSelectMultipleWidget):  # type: ignore[misc]
    role = "group"


class RadioGroup(_Named, UnfoldAdminRadioSelectWidget):  # type: ignore[misc]
    role = "radiogroup"
