#include "shakespeare/world.hpp"

#include <array>

#include "shakespeare/commands.hpp"
#include "shakespeare/text_learner.hpp"

namespace fleet {
namespace {

std::span<const Command> commands() {
  static constexpr std::array kCommands = {
      Command{"sample", "print text from a cell's merged weights: fleet sample RESULTS.h5 --cell ID", sample, true},
      Command{"data show", "say what is in a text of plays: fleet data show FILE", data_show},
  };
  return kCommands;
}

}  // namespace

WorldEntry shakespeare_world() {
  return {.name = "shakespeare",
          .summary = "the next character of what roles in plays say (Appendix F)",
          .make = [] { return make_text_world(text_learner()); },
          .commands = commands};
}

}  // namespace fleet
