"""Version 1 of the API. What changes in a way that breaks readers gets another number beside this one."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import IntConverter

from . import conversations, current, documents, exports, hotlines, numbers, templates


class BigIntConverter(IntConverter):
    """An id that fits into its column; Django's own takes any number of digits."""

    regex = "[0-9]{1,18}"


register_converter(BigIntConverter, "big")

app_name = "api"
urlpatterns = [
    path("schema/", documents.Schema.as_view(), name="schema"),
    path("docs/", documents.Docs.as_view(url_name="api:schema"), name="docs"),
    path("key/", hotlines.KeyDetail.as_view(), name="key"),
    path("hotlines/", hotlines.HotlineList.as_view(), name="hotlines"),
    path("hotlines/<slug:slug>/", hotlines.HotlineDetail.as_view(), name="hotline"),
    path("hotlines/<slug:slug>/current/", current.CurrentView.as_view(), name="current"),
    path("hotlines/<slug:slug>/texts/", hotlines.HotlineTexts.as_view(), name="texts"),
    path("hotlines/<slug:slug>/statistics/", hotlines.HotlineStatistics.as_view(), name="statistics"),
    path("events/", hotlines.EventList.as_view(), name="events"),
    path("numbers/", numbers.NumberList.as_view(), name="numbers"),
    path("numbers/<uuid:number>/", numbers.NumberDetail.as_view(), name="number"),
    path("numbers/<uuid:number>/policy/", numbers.Policy.as_view(), name="policy"),
    path("templates/", templates.TemplateList.as_view(), name="templates"),
    path("templates/<big:template>/", templates.TemplateDetail.as_view(), name="template"),
    path("conversations/", conversations.ConversationList.as_view(), name="conversations"),
    path("conversations/<big:conversation>/", conversations.ConversationDetail.as_view(), name="conversation"),
    path("conversations/<big:conversation>/block/", conversations.BlockConversation.as_view(), name="block"),
    path("conversations/<big:conversation>/unblock/", conversations.UnblockConversation.as_view(), name="unblock"),
    path("exports/", exports.ExportList.as_view(), name="exports"),
    path("exports/<uuid:export>/", exports.ExportDetail.as_view(), name="export"),
    path("exports/<uuid:export>/file/", exports.ExportFile.as_view(), name="export-file"),
]
