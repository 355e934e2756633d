#include "data/role_text.hpp"

#include <algorithm>

namespace fleet {

RoleText gather_roles(const PlayCollection& collection, bool line_ends) {
  RoleText gathered;
  for (const Play& play : collection.plays) {
    std::vector<std::string> spoken(play.roles.size());
    std::vector<std::int64_t> lines(play.roles.size(), 0);
    for (const Speech& speech : play.speeches) {
      const auto role = static_cast<std::size_t>(speech.role);
      spoken[role] += speech.text;
      spoken[role] += '\n';
      lines[role] += speech.lines;
    }
    for (std::size_t i = 0; i < spoken.size(); ++i) {
      const auto begin = static_cast<std::int64_t>(gathered.text.size());
      gathered.text += spoken[i];
      gathered.roles.push_back({.name = play.roles[i],
                                .play = static_cast<std::int32_t>(gathered.plays.size()),
                                .text = {begin, static_cast<std::int64_t>(gathered.text.size())},
                                .lines = lines[i]});
    }
    gathered.plays.push_back(play.title);
  }
  if (!line_ends) std::replace(gathered.text.begin(), gathered.text.end(), '\n', ' ');
  return gathered;
}

}  // namespace fleet
