"""Flask: `gunicorn --preload --workers 2 flask_app:app`."""

from flags import statsig
from flask import Flask

from statsig_fastly.web.wsgi import FlushAfterResponse

statsig.initialize().wait()
app = Flask(__name__)
app.wsgi_app = FlushAfterResponse(app.wsgi_app, statsig)


@app.get("/<user_id>")
def home(user_id):
    return {"new": statsig.check_gate(user_id, "test_fastly")}
