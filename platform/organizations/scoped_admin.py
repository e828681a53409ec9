"""Tenancy for every page of the admin: one mixin, so that no page can forget it.

A `ScopedAdmin` shows rows of the user's organizations and nothing else. Rights come from her role there, never from
Django's permissions. An id of another organization answers 404, exactly as an id that does not exist; so do its
history, its deletion and its actions. Choices of related rows, filters and look-ups in the address are limited alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import OperationalError, models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from .models import Organization
from .tenancy import EDIT, VIEW, Access, access_of

if TYPE_CHECKING:
    # unfold is untyped; it has the shape of Django's own.
    from django.contrib.admin import ModelAdmin
else:
    from unfold.admin import ModelAdmin


def access(request: HttpRequest) -> Access:
    """The user's access, read once per request."""
    known: Access | None = getattr(request, "tenancy_access", None)
    if known is None:
        known = access_of(request.user)
        request.tenancy_access = known  # type: ignore[attr-defined]
    return known


def sees_several(request: HttpRequest) -> bool:
    """Whether pages must say which organization a row belongs to."""
    who = access(request)
    return who.operator or len(who.roles) > 1


class ScopedForm(forms.ModelForm):  # type: ignore[type-arg]
    """A form whose rows cannot point to another organization, whatever was posted."""

    request: ClassVar[HttpRequest]
    own_organization: ClassVar[int | None] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None and self.own_organization is not None and "organization" not in self.fields:
            self.instance.organization_id = self.own_organization

    def _get_validation_exclusions(self) -> set[str]:
        # Unique together with the organization, which is set here and not in a field.
        exclusions: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return exclusions if "organization" in self.fields else exclusions - {"organization"}

    def clean(self) -> dict[str, Any] | None:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        organization = cleaned.get("organization")
        expected = organization.pk if organization else getattr(self.instance, "organization_id", None)
        for name, value in list(cleaned.items()):  # an error takes its value out
            other = getattr(value, "organization_id", None) if isinstance(value, models.Model) else None
            if other is not None and other != expected:
                self.add_error(name, ValidationError(_("This belongs to another organization."), code="foreign"))
        return cleaned


class ScopedRelatedFilter(admin.RelatedFieldListFilter):
    """Choices from the rows the user may see; Django's own filter lists every organization's."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        visible = field.remote_field.model.objects.for_user(request.user)
        choices: list[tuple[str, Any]] = field.get_choices(
            include_blank=False,
            ordering=self.field_admin_ordering(field, request, model_admin),
            limit_choices_to={"pk__in": visible.order_by().values("pk")},
        )
        return choices

    def has_output(self) -> bool:
        """Also with one choice where a link asks for it: Django would drop the question and list everything."""
        return bool(super().has_output() or self.lookup_val)


class OccurringFilter(admin.SimpleListFilter):
    """Choices are the values of the column `parameter_name` that occur in the user's rows, by their names."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request).order_by()
        values = rows.values_list(self.parameter_name, flat=True).distinct()
        return sorted(((value, self.name_of(value)) for value in values), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(**{str(self.parameter_name): self.value()}) if self.value() else queryset

    def name_of(self, value: str) -> str:
        raise NotImplementedError


class ScopedAdmin(ModelAdmin):  # type: ignore[type-arg]
    """Base of every page about an organization's rows. See this module's docstring."""

    form = ScopedForm
    #: Bulk actions would run without the checks of single rows; there is none.
    actions = None
    view_roles: ClassVar[Collection[str]] = VIEW
    add_roles: ClassVar[Collection[str]] = EDIT
    change_roles: ClassVar[Collection[str]] = EDIT
    delete_roles: ClassVar[Collection[str]] = EDIT
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    save_on_top = False

    # --- which rows -------------------------------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.for_user(request.user, self.view_roles)  # type: ignore[no-any-return]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row, or 404: never a redirect that would tell an absent row from a hidden one."""
        row = super().get_object(request, object_id, from_field)
        if row is None:
            raise Http404
        return row

    def organization_of(self, row: Any) -> int | None:
        return getattr(row, "organization_id", None)

    # --- what she may do --------------------------------------------------------------------------------------------
    def may(self, request: HttpRequest, row: Any, roles: Collection[str]) -> bool:
        """Whether her role covers `row`: a row, its id (the theme passes strings), or None for "any row at all"."""
        who = access(request)
        if row is None:
            return who.anywhere(roles)
        if not isinstance(row, models.Model):
            try:
                row = self.get_queryset(request).filter(pk=row).first()
            except (ValueError, ValidationError):
                row = None
        return row is not None and who.may(self.organization_of(row), roles)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return access(request).anywhere(self.view_roles)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, obj, self.view_roles)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, None, self.add_roles)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, obj, self.change_roles)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, obj, self.delete_roles)

    # --- forms ------------------------------------------------------------------------------------------------------
    def own_organization(self, request: HttpRequest) -> int | None:
        """The organization a new row goes to without asking: hers, where she has exactly one."""
        who = access(request)
        own = who.organizations(self.add_roles)
        return own[0] if len(own) == 1 and not who.operator else None

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  Django's signature
        request.tenancy_organization = self.organization_of(obj) if obj else self.own_organization(request)  # type: ignore[attr-defined]
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"request": request, "own_organization": self.own_organization(request)})

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.without_organization(request, obj, super().get_fieldsets(request, obj))

    def without_organization(self, request: HttpRequest, obj: Any, fieldsets: Any) -> list[tuple[Any, dict[str, Any]]]:
        """`organization` is asked for only where there is a choice, and shown only where there are several."""
        asked = sees_several(request) if obj else self.own_organization(request) is None
        return [
            (title, {**options, "fields": [name for name in options["fields"] if asked or name != "organization"]})
            for title, options in fieldsets
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = super().get_readonly_fields(request, obj)
        return fixed if obj is None or "organization" in fixed else (*fixed, "organization")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        model = db_field.remote_field.model
        manager = model.objects
        if "queryset" not in kwargs and hasattr(manager.all(), "for_user"):
            choices = manager.for_user(request.user, self.add_roles if model is Organization else VIEW)
            organization = getattr(request, "tenancy_organization", None)
            if organization is not None and model is not Organization:
                choices = choices.filter(organization=organization)
            kwargs["queryset"] = choices
            only = list(choices[:2])
            if len(only) == 1 and not db_field.null:
                kwargs.setdefault("initial", only[0])
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        rows = db_field.remote_field.model.objects.for_user(request.user, VIEW)
        organization = getattr(request, "tenancy_organization", None)
        kwargs["queryset"] = rows if organization is None else rows.filter(organization=organization)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """No pencil and no plus beside a choice: they open pop-ups that a keyboard gets lost in."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        for name in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
            if field is not None and hasattr(field.widget, name):
                setattr(field.widget, name, False)
        return field

    # --- lists ------------------------------------------------------------------------------------------------------
    def get_list_display(self, request: HttpRequest) -> Any:
        columns = super().get_list_display(request)
        return columns if sees_several(request) else [name for name in columns if name != "organization"]

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = super().get_list_filter(request)
        return (
            filters
            if sees_several(request)
            else [entry for entry in filters if not (isinstance(entry, tuple) and entry[0] == "organization")]
        )

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what a filter of this page asks. Django allows every local field, and `?hook_token__startswith=a` would
        spell out, letter by letter, what a page does not show.
        """
        return request is not None and lookup in set(self._filter_lookups(request))

    def _filter_lookups(self, request: HttpRequest) -> Iterator[str]:
        for entry in self.get_list_filter(request):
            if isinstance(entry, type) and issubclass(entry, admin.SimpleListFilter):
                yield str(entry.parameter_name)
            else:
                name = entry[0] if isinstance(entry, tuple) else str(entry)
                yield from (f"{name}__exact", f"{name}__id__exact", f"{name}__isnull")
        if self.date_hierarchy:
            yield from (f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day", "gte", "lt"))

    # --- actions ----------------------------------------------------------------------------------------------------
    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """The buttons that this user may press and that make sense for this row."""
        row = self.get_queryset(request).filter(pk=object_id).first()
        buttons = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [
            button
            for button in buttons
            if row and self.may(request, row, button.method.roles) and button.method.shown(row)
        ]

    def row_url(self, row: models.Model, page: str = "change") -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=(row.pk,))


class ReadOnlyAdmin(ScopedAdmin):
    """Rows that are looked at and acted upon, never typed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class DialogForm(BaseDialogForm):  # type: ignore[misc]
    """What a dialog asks before it acts. The theme shows errors of fields only, so general ones go above them."""

    form_before_template = "paravent/dialog_errors.html"

    def __init__(self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any) -> None:
        self.row: Any = getattr(request, "dialog_row", None)
        super().__init__(request, object_id, *args, **kwargs)

    def get_before_template_context(self, request: HttpRequest, object_id: Any = None) -> dict[str, Any]:
        return {"form": self, "note": self.note()}

    def note(self) -> Any:
        """A sentence about this row, above the fields."""
        return ""


BUSY = _("The database was busy, and nothing was changed. Please try again.")


def page_action(
    *,
    description: Any,
    roles: Collection[str],
    icon: str | None = None,
    shown: Callable[[Any], bool] = lambda _row: True,
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """A page of one row that shows and changes nothing: `(self, request, row)`, for these roles."""

    def decorate(function: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @action(description=description, icon=icon)  # type: ignore[untyped-decorator]
        @functools.wraps(function)
        def checked(self: ScopedAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
            row = self.get_object(request, object_id)
            if not self.may(request, row, roles):
                raise PermissionDenied
            return function(self, request, row)

        checked.roles = roles
        checked.shown = shown
        return checked  # type: ignore[no-any-return]

    return decorate


def dialog_action(
    *,
    description: Any,
    title: Any,
    text: Any,
    submit: Any,
    roles: Collection[str] = EDIT,
    form_class: type[DialogForm] = DialogForm,
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
    shown: Callable[[Any], bool] = lambda _row: True,
    then: str = "change",
) -> Callable[[Callable[..., Any]], Callable[..., HttpResponse]]:
    """An action on one row that asks first and acts on POST alone.

    The theme makes actions links that act on GET, and hands its permission methods an id instead of a row; here the
    row is found first, in the user's organizations, and her role is checked on every request. The function gets
    `(self, request, row, form)`; a `ValidationError` from it is shown in the dialog, a returned text is the message.
    `shown` says whether the button makes sense for a row; the function must refuse by itself what makes none. `then`
    is the page of this row to go to: "change", or an action's name.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., HttpResponse]:
        @functools.wraps(function)
        def act(self: ScopedAdmin, request: HttpRequest, form: DialogForm, object_id: str) -> HttpResponse:  # noqa: ARG001  the theme passes it
            row = form.row
            try:
                said = function(self, request, row, form)
            except (ValidationError, OperationalError) as error:
                # Messages alone: an error may name a field of the row that the dialog does not have.
                form.add_error(None, error.messages if isinstance(error, ValidationError) else BUSY)
                context = {"dialog": dialog, "form": form, "form_submit_text": submit}
                return render(request, "unfold/helpers/dialog.html", context)
            if said:
                self.message_user(request, said, messages.SUCCESS)
            url = self.row_url(row, then)
            # The dialog posts by htmx, which follows a redirect silently and leaves the page as it was.
            in_dialog = request.headers.get("HX-Request")
            return HttpResponse(headers={"HX-Redirect": url}) if in_dialog else HttpResponseRedirect(url)

        dialog = {"title": title, "description": text, "form_class": form_class, "form_submit_text": submit}
        themed = action(description=description, icon=icon, variant=variant, dialog=dialog)(act)

        @functools.wraps(themed)
        def checked(self: ScopedAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
            row = self.get_object(request, object_id)
            if not self.may(request, row, roles):
                raise PermissionDenied
            request.dialog_row = row  # type: ignore[attr-defined]
            response: HttpResponse = themed(self, request, object_id=object_id)
            return response

        checked.roles = roles  # type: ignore[attr-defined]
        checked.shown = shown  # type: ignore[attr-defined]
        return checked

    return decorate
