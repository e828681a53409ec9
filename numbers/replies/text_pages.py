"""The pages of texts beside the form of one: the live count, a desk to translate at, files, older versions."""

from __future__ import annotations

import io
import re

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files import File
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from hotlines import choices
from hotlines.models import Hotline
from organizations.scoped_admin import ScopedAdmin, access
from organizations.tenancy import EDIT

from . import desk, packs, text_files, versions
from .counting import MOST_CHARACTERS, CountedTextarea, review_told
from .models import TextVersion

_ID = re.compile(r"[0-9]{1,15}", re.ASCII)


class TextPages(ScopedAdmin):
    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("segments/", wrap(require_POST(self.count)), name="replies_replytemplate_segments"),
            path("of-kind/<int:hotline>/", wrap(require_POST(self.of_kind)), name="replies_replytemplate_of_kind"),
            path("file/<int:hotline>/<str:language>/", wrap(self.text_file), name="replies_replytemplate_text_file"),
            path("desk/<int:hotline>/<str:language>/", wrap(self.desk), name="replies_replytemplate_desk"),
            path("<int:pk>/again/<int:version>/", wrap(require_POST(self.again)), name="replies_replytemplate_again"),
            *super().get_urls(),
        ]

    def tell(self, request: HttpRequest, version: TextVersion) -> None:
        """That somebody else must read it, where that is so."""
        if version.state == TextVersion.State.WAITS:
            messages.info(request, _("The text waits until somebody else has approved it. Until then nothing changes."))

    def again(self, request: HttpRequest, pk: int, version: int) -> HttpResponse:
        """Go back to an older version, as to any other text."""
        row = self.get_object(request, str(pk))
        if not self.may(request, row, EDIT):
            raise PermissionDenied
        older = row.versions.filter(pk=version).first()
        if older is None:
            raise Http404
        try:
            self.tell(request, versions.write(row, older.text, request.user))
        except ValidationError as error:
            messages.error(request, " ".join(error.messages))
        else:
            self.log_change(request, row, f"Back to the text of version {older.pk}.")
            messages.success(request, _("The older text was taken."))
        return redirect("admin:replies_replytemplate_change", row.pk)

    def _number(self, request: HttpRequest, hotline: int, language: str) -> tuple[Hotline, bool]:
        """The number whose texts in `language` are asked for, and whether she may change them; what others post is
        refused, and what is not hers is not there.
        """
        row = Hotline.objects.for_user(request.user).filter(pk=hotline).first()
        if row is None or language not in row.languages:
            raise Http404
        may_edit = access(request).may(row.organization_id, EDIT)
        if request.method == "POST" and not may_edit:
            raise PermissionDenied
        return row, may_edit

    def _waits(self, hotline: Hotline) -> str:
        """A sentence to add to what was taken."""
        wanted = versions.needs_approval(hotline.organization_id)
        return " " + _("Until somebody else has approved it, nothing changes.") if wanted else ""

    def _told(self, request: HttpRequest, hotline: Hotline, language: str, taken: int) -> None:
        if not taken:
            return
        self.log_change(request, hotline, f"Texts in {language}: {taken} changed.")
        said = ngettext("%(count)d text was taken.", "%(count)d texts were taken.", taken) % {"count": taken}
        messages.success(request, said + self._waits(hotline))

    def desk(self, request: HttpRequest, hotline: int, language: str) -> HttpResponse:
        """All texts of a number in one language beside those of another, to translate and to compare."""
        row, may_edit = self._number(request, hotline, language)
        asked = request.GET.get("from", "")
        source = asked if asked in row.languages else row.default_language
        entries = desk.entries(row, source, language)
        problems = 0
        if request.method == "POST":
            taken = desk.take(row, language, entries, request.POST, request.user)
            problems = sum(bool(entry.problems) for entry in entries)
            self._told(request, row, language, taken)
            if not problems:
                return redirect(f"{request.path}?from={source}")
        context = {
            **self.admin_site.each_context(request),
            "title": _("Texts in %(language)s") % {"language": choices.language_name(language)},
            "subtitle": row.name,
            "hotline": row,
            "entries": entries,
            "source": source,
            "target": language,
            "languages": [(tag, choices.language_name(tag)) for tag in row.languages],
            "source_name": choices.language_name(source),
            "target_name": choices.language_name(language),
            "may_edit": may_edit,
            "media": CountedTextarea().media,
        }
        return TemplateResponse(request, "replies/desk.html", context, status=400 if problems else 200)

    def count(self, request: HttpRequest) -> HttpResponse:
        """What `replies.lint` says about a text that is being written, in the reader's words."""
        if not access(request).anywhere(EDIT):
            raise PermissionDenied
        text = request.POST.get("text", "")
        if len(text) > MOST_CHARACTERS:
            return JsonResponse({"summary": _("The text is too long."), "problems": []}, status=413)
        asked = request.POST.get("hotline", "")
        known = Hotline.objects.for_user(request.user).filter(pk=int(asked)) if _ID.fullmatch(asked) else []
        price = next((row.account.price_out for row in known), None)
        return JsonResponse(review_told(text, price))

    def of_kind(self, request: HttpRequest, hotline: int) -> HttpResponse:
        """Bring the texts of the hotline's kind that it lacks, for instance after a language was added."""
        row = Hotline.objects.for_user(request.user, EDIT).filter(pk=hotline).first()
        if row is None:
            raise Http404
        added = len(packs.copy_to_hotline(row))
        said = ngettext("%(count)d text was added.", "%(count)d texts were added.", added) % {"count": added}
        messages.success(request, said if added else _("Nothing was missing: no text was added."))
        return redirect("admin:hotlines_hotline_change", row.pk)

    def text_file(self, request: HttpRequest, hotline: int, language: str) -> HttpResponseBase:
        """The texts of a number in one language as a file, there and back."""
        row, may_edit = self._number(request, hotline, language)
        if request.GET.get("download"):
            content = text_files.written(row, language).encode()
            name = f"paravent-{row.number.lstrip('+')}-{language}.toml"
            return FileResponse(io.BytesIO(content), as_attachment=True, filename=name, content_type="text/plain")
        problems: list[str] = []
        if request.method == "POST":
            try:
                self._take(request, row, language)
            except ValidationError as error:
                problems = error.messages
            else:
                return redirect("admin:hotlines_hotline_change", row.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Texts in %(language)s") % {"language": choices.language_name(language)},
            "hotline": row,
            "language_name": choices.language_name(language),
            "may_edit": may_edit,
            "problems": problems,
        }
        return TemplateResponse(request, "replies/text_file.html", context, status=400 if problems else 200)

    def _take(self, request: HttpRequest, hotline: Hotline, language: str) -> None:
        file = request.FILES.get("file")
        if not isinstance(file, File):
            raise ValidationError(_("Choose a file first."), code="file")
        taken = text_files.apply(hotline, language, text_files.read(file.read(text_files.LARGEST + 1)), request.user)
        said = _("The file was taken: %(added)d new, %(changed)d changed, %(same)d as they were.")
        waits = self._waits(hotline) if taken.added or taken.changed else ""
        messages.success(request, said % vars(taken) + waits)
        self.log_change(request, hotline, f"Texts in {language} from a file: {taken}.")
