"""Django: `gunicorn --preload --workers 2 django_app`. In a project, `wsgi.py` has the last line but one."""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from flags import statsig

from statsig_fastly.web.wsgi import FlushAfterResponse

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="not for production")


def home(_request, user_id):
    return JsonResponse({"new": statsig.check_gate(user_id, "test_fastly")})


urlpatterns = [path("<user_id>", home)]
application = FlushAfterResponse(get_wsgi_application(), statsig)
statsig.initialize().wait()
