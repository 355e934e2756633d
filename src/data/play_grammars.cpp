#include "data/play_grammars.hpp"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>
#include <vector>

namespace fleet {
namespace {

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool has_lower(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_lower);
}

/// Letters, and between them what joins names: "QUEEN MARGARET", "Hor", "KING'S SON", "ROSENCRANTZ and GUILDENSTERN".
bool is_name(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  if (text.empty() || text.size() > kLongest || (!is_upper(text.front()) && !is_lower(text.front()))) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') ||
           std::string_view(" '&-").find(c) != std::string_view::npos;
  });
}

/// In capitals, but for the word "and".
bool is_capital_name(std::string_view text) {
  if (!is_name(text)) return false;
  std::string without(text);
  for (std::size_t at = without.find(" and "); at != std::string::npos; at = without.find(" and "))
    without.erase(at, 4);
  return !has_lower(without);
}

/// Every word of it with a capital: "Ham", "First Clown".
bool is_titled_name(std::string_view text) {
  bool begins_word = true;
  for (const char c : text) {
    if (begins_word && is_lower(c)) return false;
    begins_word = c == ' ';
  }
  return is_name(text);
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.starts_with(word) &&
         (text.size() == word.size() || !(is_lower(text[word.size()]) || is_upper(text[word.size()])));
}

template <std::size_t kCount>
bool starts_with_any(std::string_view text, const std::array<std::string_view, kCount>& words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return starts_with_word(text, word); });
}

/// Words that begin a division of a play, or stand around plays.
constexpr std::array<std::string_view, 15> kHeadings = {
    "ACT",   "SCENE",    "THE END",  "FINIS",   "CONTENTS",   "DRAMATIS",   "PERSONS",          "Act",
    "Scene", "Contents", "Dramatis", "Persons", "by William", "By William", "End of this Etext"};

/// The same, but spoken by somebody of that name in some plays.
constexpr std::array<std::string_view, 6> kSpokenHeadings = {"PROLOGUE",     "EPILOGUE",     "INDUCTION",
                                                             "THE PROLOGUE", "THE EPILOGUE", "INTERMISSION"};

/// Words that begin a stage direction.
constexpr std::array<std::string_view, 18> kDirections = {
    "Enter", "Re-enter", "Reenter",  "Exit", "Exeunt",  "Flourish", "Alarum", "Alarums", "Sennet",
    "March", "Trumpet",  "Trumpets", "Drum", "Retreat", "Thunder",  "Dies",   "SONG",    "THE SONG"};

/// Words that give one away wherever they stand.
constexpr std::array<std::string_view, 4> kMovements = {"Enter ", "enter ", "Exit", "Exeunt"};

bool is_heading(std::string_view body) {
  return starts_with_any(body, kHeadings) || starts_with_any(body, kSpokenHeadings);
}

/// Whether a name can be that of a role.
bool may_speak(std::string_view name) {
  return !starts_with_any(name, kHeadings) && !starts_with_any(name, kDirections);
}

/// Anything in it that looks like the name of a role: "AENEAS passes", "Sound trumpets. Enter SATURNINUS".
bool names_a_role(std::string_view body) {
  std::size_t capitals = 0;
  for (const char c : body) {
    capitals = is_upper(c) ? capitals + 1 : 0;
    if (capitals == 3) return true;
  }
  return false;
}

/// "ROLE:" above a speech.
class ColonGrammar final : public Grammar {
 public:
  [[nodiscard]] std::optional<Cue> cue(const Line& line) override {
    const std::string_view body = line.body();
    if (!line.after_empty || line.indent > 0 || !body.ends_with(':')) return std::nullopt;
    const std::string_view role = body.substr(0, body.size() - 1);
    return is_name(role) && is_upper(role.front()) ? std::optional(Cue{std::string(role)}) : std::nullopt;
  }
  LineKind kind(const Line& line, std::size_t /*index*/) override {
    return line.after_empty && is_heading(line.body()) && line.before_empty ? LineKind::kHeading : LineKind::kWords;
  }
};

/// "ROLE." above a speech, in capitals.
class StopGrammar final : public Grammar {
 public:
  explicit StopGrammar(std::span<const Line> lines) {
    std::set<std::string> listed = read_contents(lines);
    const Line* paragraph = nullptr;  // the last that was a single line
    std::size_t at = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (lines[i].text.empty()) continue;
      const std::string_view body = lines[i].body();
      const bool begins_a_play = starts_with_word(body, "Contents") || is_persons(body);
      if (begins_a_play && paragraph != nullptr && !is_heading(paragraph->body())) titles_.insert(at);
      paragraph = lines[i].after_empty && lines[i].before_empty ? &lines[i] : nullptr;
      at = i;
      if (paragraph != nullptr && lines[i].indent == 0 && listed.contains(letters(body))) titles_.insert(i);
    }
  }

  [[nodiscard]] std::optional<Cue> cue(const Line& line) override {
    if (!line.after_empty || line.before_empty || line.indent > 0 || in_persons_) return std::nullopt;
    std::string_view body = line.body();
    for (const std::string_view aside : {" [", " (_"}) body = body.substr(0, body.find(aside));
    if (!body.ends_with('.')) return std::nullopt;
    std::string role(body);
    std::erase(role, '.');  // "VARRO. CLAUDIUS." speak together
    if (!is_capital_name(role) || !may_speak(role)) return std::nullopt;
    in_direction_ = false;
    return Cue{role, line.body().substr(body.size())};
  }

  LineKind kind(const Line& line, std::size_t index) override {
    if (titles_.contains(index)) {
      in_persons_ = false;
      return LineKind::kTitle;
    }
    if (line.after_empty) in_direction_ = false;
    if (in_direction_) return LineKind::kDirection;
    const std::string_view body = line.body();
    if (is_persons(body)) in_persons_ = true;
    if (in_persons_ && starts_with_any(body, kBeginnings)) in_persons_ = false;
    if (line.after_empty && (is_heading(body) || is_shouted(line))) return LineKind::kHeading;
    in_direction_ = line.after_empty && starts_with_any(body, kDirections);
    return in_direction_ ? LineKind::kDirection : LineKind::kWords;
  }

 private:
  static std::string letters(std::string_view text) {
    std::string kept;
    for (const char c : text) {
      if (is_upper(c)) kept += c;
      if (is_lower(c)) kept += static_cast<char>(c - 'a' + 'A');
    }
    return kept;
  }
  /// Above the list of persons, who may look like speakers.
  static bool is_persons(std::string_view body) {
    return body.starts_with("Dramatis Person") || body.starts_with("DRAMATIS PERSON");
  }
  /// What ends that list: the place of the play does not.
  static constexpr std::array<std::string_view, 6> kBeginnings = {"ACT",      "SCENE I",      "INDUCTION",
                                                                  "PROLOGUE", "THE PROLOGUE", "CHORUS"};

  /// A paragraph of one line in capitals: a heading of some kind.
  static bool is_shouted(const Line& line) {
    return line.before_empty && names_a_role(line.body()) && !has_lower(line.body());
  }

  /// The works listed at the beginning of the file, up to the first that comes again: it begins there.
  static std::set<std::string> read_contents(std::span<const Line> lines) {
    std::set<std::string> works;
    bool listing = false;
    for (const Line& line : lines) {
      if (!listing) {
        listing = starts_with_word(line.body(), "Contents") || starts_with_word(line.body(), "CONTENTS");
        continue;
      }
      if (line.text.empty()) continue;
      if (has_lower(line.body()) || !works.insert(letters(line.body())).second) break;
    }
    return works;
  }

  std::set<std::size_t> titles_;
  bool in_persons_ = false;
  bool in_direction_ = false;
};

/// "  ROLE. Words" with the lines that follow deeper. Every play of the Complete Works of 1994 begins with its year.
class IndentedGrammar final : public Grammar {
 public:
  explicit IndentedGrammar(std::span<const Line> lines) { find_cue_columns(lines); }

  [[nodiscard]] std::optional<Cue> cue(const Line& line) override {
    if (line.after_empty) in_notice_ = false;
    if (line.indent > kDeepestCue || in_notice_ || (line.indent == 0) != flush_) return std::nullopt;
    const std::optional<Cue> cue = cue_at_any_column(line);
    if (cue) direction_ = Extent::kNone;
    return cue;
  }

  LineKind kind(const Line& line, std::size_t index) override {
    const std::string_view body = line.body();
    if (is_year(line)) {
      expects_title_ = true;
      flush_ = flush_plays_.contains(index);
      return LineKind::kHeading;
    }
    if (std::exchange(expects_title_, false)) return LineKind::kTitle;
    if (body.starts_with("<<")) in_notice_ = true;
    if (in_notice_) {
      in_notice_ = body.find(">>") == std::string_view::npos;
      return LineKind::kDirection;
    }
    // Further right, only what is set apart and in capitals: a verse may begin with "Act".
    const bool set_apart = line.after_empty && line.indent > kDeepestProse && body.size() > 1 && is_upper(body[1]);
    if (is_heading(body) && (line.indent < kDeepestCue || set_apart)) return LineKind::kHeading;
    return is_direction(line) ? LineKind::kDirection : LineKind::kWords;
  }

 private:
  static constexpr std::size_t kDeepestCue = 3;
  static constexpr std::size_t kDeepestProse = 5;

  static bool is_year(const Line& line) {
    const std::string_view text = line.text;
    return text.size() == 4 && (text.starts_with("15") || text.starts_with("16")) && std::isdigit(text[2]) != 0 &&
           std::isdigit(text[3]) != 0;
  }

  static std::optional<Cue> cue_at_any_column(const Line& line) {
    const std::string_view body = line.body();
    const std::size_t title = body.starts_with("MRS.") ? 3 : body.starts_with("DR.") ? 2 : 0;  // whose stop ends no cue
    const std::size_t stop = body.find('.', title + 1);
    if (stop == std::string_view::npos || (stop + 1 < body.size() && body[stop + 1] != ' ')) return std::nullopt;
    std::string role(body.substr(0, stop));
    if (title > 0) role.erase(title, 1);
    // "Ham." and its like stand at column 2 only; elsewhere it would be a sentence.
    const bool named = line.indent == 2 ? is_titled_name(role) : is_capital_name(role);
    const bool above_its_speech = line.indent == 0 && stop + 1 == body.size();  // another layout
    if (!named || !may_speak(role) || above_its_speech) return std::nullopt;
    return Cue{role, body.substr(stop + 1)};
  }

  /// Notes the plays, by the line of their year, most of whose cues stand flush left: The Comedy of Errors.
  void find_cue_columns(std::span<const Line> lines) {
    std::size_t play = lines.size();    // none yet
    std::array<std::size_t, 2> cues{};  // indented, flush
    const auto close = [&] {
      if (cues[1] > cues[0]) flush_plays_.insert(play);
      cues = {};
    };
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (is_year(lines[i])) {
        close();
        play = i;
      } else if (lines[i].indent <= kDeepestCue && cue_at_any_column(lines[i])) {
        ++cues[lines[i].indent == 0 ? 1 : 0];
      }
    }
    close();
    flush_ = flush_plays_.contains(lines.size());
  }

  /// Speech goes on at least two columns deeper than cues. A direction stands at cues' columns or further left, or is a
  /// paragraph of its own, or stands far right up to the next line at a column of speech.
  bool is_direction(const Line& line) {
    const std::string_view body = line.body();
    const bool far = line.indent > kDeepestProse;
    if (line.indent < (flush_ ? 2 : kDeepestCue)) return true;
    if (line.after_empty || (direction_ == Extent::kFar && !far)) direction_ = Extent::kNone;
    const bool moves = std::any_of(kMovements.begin(), kMovements.end(),
                                   [&](std::string_view word) { return body.find(word) != std::string_view::npos; });
    const bool begins = starts_with_any(body, kDirections);
    if (far && (moves || begins)) direction_ = Extent::kFar;
    if (far && line.after_empty && (names_a_role(body) || starts_with_word(body, "Here"))) direction_ = Extent::kFar;
    if (!far && line.after_empty && (begins || body.find(". Enter ") != std::string_view::npos)) {
      direction_ = Extent::kParagraph;
    }
    return direction_ != Extent::kNone;
  }

  enum class Extent { kNone, kFar, kParagraph };
  std::set<std::size_t> flush_plays_;
  bool flush_ = false;
  bool expects_title_ = false;
  bool in_notice_ = false;  // << ... >>: the licence, within every play
  Extent direction_ = Extent::kNone;
};

/// "**ROLE**" above a speech.
class MarkdownGrammar final : public Grammar {
 public:
  [[nodiscard]] std::optional<Cue> cue(const Line& line) override {
    const std::string_view body = line.body();
    if (body.size() <= 4 || !body.starts_with("**") || !body.ends_with("**")) return std::nullopt;
    emphasis_ = kNone;
    return Cue{std::string(body.substr(2, body.size() - 4))};
  }
  LineKind kind(const Line& line, std::size_t /*index*/) override {
    const std::string_view body = line.body();
    if (line.after_empty) emphasis_ = kNone;
    if (body.starts_with('#')) return heading(body);
    if (line.after_empty && (body.starts_with('_') || body.starts_with('*'))) emphasis_ = body.front();
    if (emphasis_ == kNone) return LineKind::kWords;
    if (body.ends_with(emphasis_)) emphasis_ = kNone;
    return LineKind::kDirection;
  }

 private:
  /// A play begins with its title, or else with its first act.
  LineKind heading(std::string_view body) {
    const bool first_act = body == "## ACT I";
    const bool title = body.starts_with("# ") && !is_heading(body.substr(2));
    const bool again = first_act && in_play_;
    in_play_ = first_act || (in_play_ && !title);
    return title ? LineKind::kTitle : again ? LineKind::kUntitled : LineKind::kHeading;
  }

  static constexpr char kNone = ' ';
  char emphasis_ = kNone;  // the mark at both ends of the direction that has begun
  bool in_play_ = false;   // its first act has begun
};

}  // namespace

std::unique_ptr<Grammar> make_grammar(PlayLayout layout, std::span<const Line> lines) {
  switch (layout) {
    case PlayLayout::kColon:
      return std::make_unique<ColonGrammar>();
    case PlayLayout::kStop:
      return std::make_unique<StopGrammar>(lines);
    case PlayLayout::kIndented:
      return std::make_unique<IndentedGrammar>(lines);
    case PlayLayout::kMarkdown:
      break;
  }
  return std::make_unique<MarkdownGrammar>();
}

}  // namespace fleet
