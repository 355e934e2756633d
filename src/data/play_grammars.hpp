// What a line of a play is, in each layout: the part of reading plays that knows how they are typeset.
//
// Private to src/data/plays.cpp, which knows what plays are made of.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "data/plays.hpp"

namespace fleet {

/// A line and what stands around it.
struct Line {
  std::string_view text;     ///< without spaces at its end
  std::size_t indent = 0;    ///< spaces at its beginning
  bool after_empty = true;   ///< begins a paragraph
  bool before_empty = true;  ///< ends one
  [[nodiscard]] std::string_view body() const { return text.substr(indent); }
};

/// A role's name, and what it begins to say on the same line.
struct Cue {
  std::string role;
  std::string_view words = {};
};

enum class LineKind {
  kTitle,      ///< a play begins that is called so
  kUntitled,   ///< a play begins
  kHeading,    ///< act, scene, end ...: whoever spoke has ended
  kDirection,  ///< not spoken; whoever speaks goes on after it
  kWords,      ///< spoken, if somebody is speaking
};

/// One layout. Lines are read in order, once; empty ones are not shown, and a line that is a cue only to cue().
class Grammar {
 public:
  virtual ~Grammar() = default;
  /// Whether the line names a speaker.
  [[nodiscard]] virtual std::optional<Cue> cue(const Line& line) = 0;
  /// What else it is. `index` counts the lines that were given to the grammar when it was made.
  virtual LineKind kind(const Line& line, std::size_t index) = 0;
};

/// The grammar of a layout for these lines, which outlive it.
[[nodiscard]] std::unique_ptr<Grammar> make_grammar(PlayLayout layout, std::span<const Line> lines);

inline constexpr std::array kPlayLayouts = {PlayLayout::kColon, PlayLayout::kStop, PlayLayout::kIndented,
                                            PlayLayout::kMarkdown};

}  // namespace fleet
