"use strict";
// What each value on the setup page means, by section and key of kiosk.toml.

const HELP = {
  model: {
    threshold: "From 0.02 to 0.98: the alarm begins when a face's score reaches this. 0: as the model's card says.",
    release: "At most the threshold: the alarm ends when the score falls below this. In between, nothing changes. 0: as the card says, in proportion below a lower threshold.",
  },
  decision: {
    window_seconds: "A face's scores are averaged over this time.",
    notice_seconds: "A face seen for less time isn't counted: it may not be one.",
    sure_seconds: "A face seen for less time has no verdict yet.",
    forget_seconds: "A face not seen for longer has left. Near 0, whoever isn't found in one picture has left, and is counted again.",
    return_seconds: "Whoever is back sooner, where they were last seen, is still on the same visit.",
    hold_seconds: "An alarm lasts at least this long.",
    background_seconds: "A face that hasn't moved for this long is a poster: it doesn't count until it moves.",
    least_move: "Share of the face's height: a face that has never moved this far isn't judged. 0: all are.",
    least_height: "Share of the picture's height: a smaller face doesn't count, as if nobody was there.",
    least_brightness: "Mean grey level of a face, 0 to 255: a darker face isn't judged until it gets brighter.",
  },
  signals: {
    beeps: "How often the buzzer sounds in one alarm.",
    beep_seconds: "How long the first beep lasts; the last one lasts twice as long.",
    pause_seconds: "How long the buzzer is silent between two beeps.",
    quiet_from: "No alarm beeps from this time on, as 22:00.",
    quiet_until: "Until this time, as 06:30. Both times the same: never silent.",
    time_zone: "Of these two times. local: the kiosk's own; or a name such as Europe/Berlin.",
  },
  screen: {
    language: "auto: the language of the browser that shows the screen.",
    speech: "The screen speaks its prompts.",
    mirror: "The screen shows the camera's picture, to everybody who may open its page.",
  },
  camera: {
    rotation: "Degrees by which the picture is turned clockwise: 0, 90, 180 or 270.",
    mirror: "Left and right are swapped, after the turn.",
    backlit: "People stand in front of something bright, such as an open door.",
    brighter: "-3 to 3: stops brighter than the Pi's own camera would choose.",
  },
};
