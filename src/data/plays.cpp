#include "data/plays.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <set>

#include "base/error.hpp"
#include "data/plain_text.hpp"
#include "data/play_grammars.hpp"

namespace fleet {
namespace {

std::vector<Line> read_lines(std::string_view text) {
  std::vector<Line> lines;
  for (const std::string_view line : split_lines(text)) {
    const std::size_t indent = line.empty() ? 0 : line.find_first_not_of(' ');
    lines.push_back({.text = line, .indent = indent});
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    lines[i].after_empty = i == 0 || lines[i - 1].text.empty();
    lines[i].before_empty = i + 1 == lines.size() || lines[i + 1].text.empty();
  }
  return lines;
}

/// The layout in which most lines are cues.
PlayLayout guess_layout(std::span<const Line> lines) {
  constexpr std::size_t kEnough = 20000;  // lines: a few plays, behind any front matter
  lines = lines.first(std::min(kEnough, lines.size()));
  std::array<std::ptrdiff_t, kPlayLayouts.size()> cues{};
  for (std::size_t k = 0; k < cues.size(); ++k) {
    const std::unique_ptr<Grammar> grammar = make_grammar(kPlayLayouts[k], lines);
    cues[k] = std::count_if(lines.begin(), lines.end(),
                            [&](const Line& line) { return !line.text.empty() && grammar->cue(line); });
  }
  return kPlayLayouts[static_cast<std::size_t>(std::max_element(cues.begin(), cues.end()) - cues.begin())];
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

/// The line without an "Exit" or its like at its end, set apart by spaces.
std::string_view without_exit(std::string_view words) {
  constexpr std::array<std::string_view, 5> kEvents = {"Exit", "Exeunt", "Enter", "Dies", "Flourish"};
  words.remove_prefix(std::min(words.find_first_not_of(' '), words.size()));
  for (const std::string_view alone : {"Exit", "Exit.", "Exeunt", "Exeunt."}) {
    if (words == alone) return {};
  }
  const std::size_t gap = words.rfind("  ");
  if (gap == std::string_view::npos) return words;
  const bool wide = gap > 0 && words[gap - 1] == ' ';  // two spaces may also part sentences
  for (const std::string_view movement : kEvents) {
    const std::size_t at = words.find(movement, gap);
    if (wide ? at != std::string_view::npos : at == gap + 2) return words.substr(0, gap);
  }
  return words;
}

/// What is left of a line without directions in brackets or "(_", marks of emphasis and spaces that say nothing.
/// `in_bracket` remembers a bracket that is not closed yet.
std::string spoken(std::string_view words, bool& in_bracket) {
  words = without_exit(words);
  std::string kept;
  bool in_aside = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const char c = words[i];
    if (c == '[') in_bracket = true;
    if (words.substr(i).starts_with("(_")) in_aside = true;
    const bool mark = c == '_' || c == '\\';
    const bool repeated = c == ' ' && (kept.empty() || kept.back() == ' ');
    if (!in_bracket && !in_aside && !mark && !repeated) kept += c;
    if (c == ']') in_bracket = false;
    if (c == ')') in_aside = false;
  }
  if (!kept.empty() && kept.back() == ' ') kept.pop_back();
  return kept;
}

/// Puts plays together from what the grammar says of each line.
class Assembly {
 public:
  Assembly(PlayLayout layout, std::span<const Line> lines, std::string_view name)
      : layout_(layout), grammar_(make_grammar(layout, lines)), name_(name) {
    begin_play(name);
    for (std::size_t i = 0; i < lines.size(); ++i) read(lines[i], i);
  }

  PlayCollection finish() {
    PlayCollection collection{.layout = layout_, .plays = {}, .lines = {}};
    for (std::size_t k = 0; k < plays_.size(); ++k) {
      const bool front = k == 0 && titled_;  // what stood before the first title
      const bool kept = !front && plays_[k].roles.size() >= 2;
      LineCounts& all = collection.lines;
      const LineCounts& own = counts_[k];
      all.empty += own.empty;
      all.outside += own.outside + (kept ? 0 : own.speech + own.cues + own.directions);
      if (!kept) continue;
      all.speech += own.speech;
      all.cues += own.cues;
      all.directions += own.directions;
      collection.plays.push_back(std::move(plays_[k]));
    }
    return collection;
  }

 private:
  void read(const Line& line, std::size_t index) {
    if (line.text.empty()) {
      in_bracket_ = false;
      ++counts_.back().empty;
      return;
    }
    if (note_edge(line.text) || ended_) {
      ++counts_.back().outside;
      return;
    }
    LineCounts& counts = counts_.back();
    if (const std::optional<Cue> cue = grammar_->cue(line)) {
      role_ = upper(cue->role);
      speaking_ = false;
      in_bracket_ = false;
      ++(say(cue->words) ? counts.speech : counts.cues);
      return;
    }
    const LineKind kind = grammar_->kind(line, index);
    switch (kind) {
      case LineKind::kTitle:
      case LineKind::kUntitled:
        titled_ = titled_ || kind == LineKind::kTitle;
        begin_play(kind == LineKind::kTitle ? title_of(line.body()) : name_);
        ++counts_.back().outside;
        return;
      case LineKind::kHeading:
        role_.clear();
        ++counts.outside;
        return;
      case LineKind::kDirection:
        ++(plays_.back().roles.empty() ? counts.outside : counts.directions);
        return;
      case LineKind::kWords:
        ++(role_.empty() ? counts.outside : say(line.body()) ? counts.speech : counts.directions);
        return;
    }
  }

  /// Project Gutenberg marks where the text begins and ends; what stands around it is its licence.
  bool note_edge(std::string_view text) {
    if (!text.starts_with("***")) return false;
    const bool start = text.find("START OF TH") != std::string_view::npos;
    const bool end = text.find("END OF TH") != std::string_view::npos;
    if (start) {
      titled_ = true;
      begin_play(name_);
    }
    ended_ = ended_ || end;
    return start || end;
  }

  void begin_play(std::string_view title) {
    plays_.push_back({.title = std::string(title), .roles = {}, .speeches = {}});
    counts_.emplace_back();
    role_.clear();
  }

  /// Adds a line to the present role's speech; whether anything in it is spoken.
  bool say(std::string_view words) {
    const std::string text = spoken(words, in_bracket_);
    if (text.empty()) return false;
    Play& play = plays_.back();
    if (!speaking_) {
      play.speeches.push_back({.role = index_of(play, role_), .text = {}, .lines = 0});
      speaking_ = true;
    }
    Speech& speech = play.speeches.back();
    if (speech.lines++ > 0) speech.text += '\n';
    speech.text += text;
    return true;
  }

  static std::string_view title_of(std::string_view body) {
    const std::size_t begin = body.find_first_not_of("# ");
    return body.substr(begin == std::string_view::npos ? body.size() : begin);
  }

  static int index_of(Play& play, const std::string& role) {
    const auto known = std::find(play.roles.begin(), play.roles.end(), role);
    const auto index = known - play.roles.begin();
    if (known == play.roles.end()) play.roles.push_back(role);
    return static_cast<int>(index);
  }

  PlayLayout layout_;
  std::unique_ptr<Grammar> grammar_;
  std::string_view name_;
  std::vector<Play> plays_;
  std::vector<LineCounts> counts_;  // of each
  bool titled_ = false;             // the first play is what stands before the first title
  bool ended_ = false;
  std::string role_;       // whose turn it is; nobody's if empty
  bool speaking_ = false;  // the role has begun the last speech of the play
  bool in_bracket_ = false;
};

}  // namespace

std::string_view describe(PlayLayout layout) {
  switch (layout) {
    case PlayLayout::kColon:
      return "\"ROLE:\" above each speech";
    case PlayLayout::kStop:
      return "\"ROLE.\" above each speech";
    case PlayLayout::kIndented:
      return "\"  ROLE. Words\"";
    case PlayLayout::kMarkdown:
      break;
  }
  return "Markdown, \"**ROLE**\" above each speech";
}

PlayCollection parse_plays(std::string_view text, std::string_view name) {
  const std::string ascii = to_ascii(text, name);
  const std::vector<Line> lines = read_lines(ascii);
  PlayCollection collection = Assembly(guess_layout(lines), lines, name).finish();
  std::string layouts;
  for (const PlayLayout layout : kPlayLayouts) layouts += cat("\n  ", describe(layout));
  require(!collection.plays.empty(), name, ": no play in it: found no two speakers in any of the layouts", layouts);
  return collection;
}

PlayCollection read_plays(const std::filesystem::path& path) {
  return parse_plays(read_file(path), path.string());
}

}  // namespace fleet
