// `fleet data show FILE`.
#include <iostream>

#include "data/plays.hpp"
#include "data/role_text.hpp"
#include "shakespeare/commands.hpp"
#include "train/text_partition.hpp"

namespace fleet {
namespace {

/// What is in a text, and what LEAF's preprocessing would make of it beside the published counts.
void print_statistics(std::ostream& out, const PlayCollection& collection) {
  const RoleText text = gather_roles(collection, false);
  std::size_t speeches = 0;
  for (const Play& play : collection.plays) speeches += play.speeches.size();
  const LineCounts& lines = collection.lines;
  out << "layout     " << describe(collection.layout) << '\n'
      << "plays      " << text.plays.size() << '\n'
      << "roles      " << text.roles.size() << '\n'
      << "speeches   " << speeches << ", " << text.text.size() << " characters\n"
      << "lines      " << lines.total() << ": " << lines.speech << " of speech, " << lines.cues << " name a speaker, "
      << lines.directions << " of directions, " << lines.outside << " outside plays, " << lines.empty << " empty\n";
  const TextPartitionOptions leaf;
  std::int64_t roles = 0;
  std::int64_t samples = 0;
  for (const TextRole& role : text.roles) {
    const std::int64_t windows = samples_in(role.text.size(), leaf.window);
    if (role.lines < leaf.min_lines || windows == 0) continue;
    ++roles;
    samples += windows;
  }
  out << "as LEAF    " << roles << " roles, " << samples << " samples (published: 1129, 4226158); "
      << split_roles(text.roles, leaf).size() << " with a test of their own (660)\n";
}

int run(const Call& call) {
  print_statistics(std::cout, read_plays(call.get("FILE")));
  return 0;
}

}  // namespace

Command data_show_command() {
  return {.name = "data show",
          .summary = "say what is in a text of plays: fleet data show FILE",
          .usage = "FILE",
          .operand = {.name = "FILE", .is = Operand::Is::kFile},
          .run = run};
}

}  // namespace fleet
