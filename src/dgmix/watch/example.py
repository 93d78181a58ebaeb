"""The settings file that `dgmix watch --example` writes."""

EXAMPLE = """\
# dgmix watch: which machines to listen to, and whom to tell. `dgmix watch watch.yaml --check` tries
# every source and sink once. Environment variables replace what stands here, for example
# DGMIX_WATCH_MQTT__PASSWORD or DGMIX_WATCH_PAGE__PORT.

site: dgmix                    # names this watch among others at one broker
# state: /var/lib/dgmix        # database, clips and token; the user's state folder by default
# plugins: [mine.py]           # Python files that detectors need (docs/plugins.md); they are run

machines:
  - name: pump-1               # letters, digits, - and _
    title: Feed pump 1
    detector: pump.dgmix       # `dgmix fit FOLDER -o pump.dgmix`
    source:
      type: folder             # a folder that a recorder fills; each file is judged once
      path: recordings
      stable: 5                # seconds without a change of size: the file is complete
    # source: {type: card, device: "USB Audio"}            # `dgmix watch --devices` lists names
    # source: {type: stream, url: "rtsp://user:password@camera/stream", timeout: 10}
    # source: {type: stdin, format: s16le, sample_rate: 16000, channels: 1}
    # condition: {fixed: 1500rpm}
    # condition: {mqtt: plant/pump-1/speed}
    # condition:
    #   time_zone: Europe/Zurich
    #   timetable:
    #     - {name: day, days: [mon, tue, wed, thu, fri], from: "06:00", to: "22:00"}
    window:
      # seconds: 10            # by default as long as the recordings learned from
      settle: 2                # seconds after each connection that are not judged
    rule:
      # rate: 0.01             # false-alarm rate of one window; by default the detector's
      windows: 3               # raise after so many anomalies ...
      # of: 5                  # ... among so many windows; in a row by default
      clear_after: 5           # clear after so many calm windows in a row

storage:
  budget_mb: 2000              # clips and database together never take more
  healthy_per_day: 12          # ordinary windows kept as clips, a day and machine
  windows_days: 30             # every judged window is kept so long; sums by hour for ever
  # clips_days: 90             # remove clips that nobody pinned or labelled

page:
  port: 8765                   # http://127.0.0.1:8765, with the token in the state folder
  # host: 0.0.0.0              # needs a password: DGMIX_WATCH_PAGE__PASSWORD
  # time_zone: Europe/Zurich

# mqtt:
#   host: localhost
#   username: dgmix
#   password: secret           # better: DGMIX_WATCH_MQTT__PASSWORD
#   discovery: homeassistant   # null: no Home Assistant

# webhooks:
#   - {name: maintenance, url: "https://example.org/hook", secret: shared}

# apprise:                     # needs `pip install "dgmix[notify]"`
#   - {name: mail, urls: ["mailtos://user:password@example.org"]}
"""
