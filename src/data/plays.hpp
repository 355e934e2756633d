// Plays as plain text, in the layouts in which Shakespeare's go around, read into plays, roles and speeches.
//
// Hides compression, encodings and the layouts. What is not spoken (front matter, licence, tables of contents, lists of
// persons, headings, stage directions) is left out of speeches, and counted. Called by the workload that learns to
// speak and by `fleet data show`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace fleet {

enum class PlayLayout {
  kColon,     ///< "ROLE:" on a line of its own after an empty one, as in tiny Shakespeare; no titles
  kStop,      ///< "ROLE." on a line of its own after an empty one, as in Project Gutenberg's Complete Works since 2019
  kIndented,  ///< "  ROLE. Words" and deeper lines, as in its Complete Works of 1994, which LEAF reads
  kMarkdown,  ///< "# Title", "**ROLE**", "_direction_"
};
[[nodiscard]] std::string_view describe(PlayLayout layout);

/// What one role says without another cutting in.
struct Speech {
  int role = 0;            ///< index into Play::roles
  std::string text;        ///< its lines in printable ASCII, joined by '\n', none of them empty
  std::int64_t lines = 0;  ///< how many: at least 1
};

struct Play {
  std::string title;
  std::vector<std::string> roles;  ///< in upper case, by first appearance; each has spoken
  std::vector<Speech> speeches;    ///< in the order of the text
};

/// Lines of a file by what they are; together, all of them.
struct LineCounts {
  std::int64_t speech = 0;      ///< spoken, in part at least
  std::int64_t cues = 0;        ///< only name who speaks
  std::int64_t directions = 0;  ///< stage directions within plays
  std::int64_t outside = 0;     ///< titles, headings, contents, persons, licence, poems
  std::int64_t empty = 0;
  [[nodiscard]] std::int64_t total() const { return speech + cues + directions + outside + empty; }
};

struct PlayCollection {
  PlayLayout layout = PlayLayout::kColon;
  std::vector<Play> plays;  ///< those with at least two roles; poems have none
  LineCounts lines;
};

/// `name` names the text in errors and entitles a play that has no title. Error if the text is empty, is not text, or
/// has no play in it, that is, no two roles in any layout.
[[nodiscard]] PlayCollection parse_plays(std::string_view text, std::string_view name);

/// The same of a file, plain or compressed with gzip.
[[nodiscard]] PlayCollection read_plays(const std::filesystem::path& path);

}  // namespace fleet
