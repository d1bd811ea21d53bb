-- MuseNet for REAPER: continues, fills and accompanies the selected MIDI items. `musenet bridge reaper`
-- installs it; it needs REAPER 6 or newer and no extension.
--
-- What was asked goes to `musenet bridge run` as a text file in REAPER's resource folder, the answer
-- comes back as another, and REAPER can be used meanwhile. Times are quarter notes from the first bar on.

local COMMAND = "musenet bridge run" -- what answers a request: the installer writes it here

local TITLE = "MuseNet"
local NEAR = 1 / 512 -- quarter notes that make no difference
local IMPLODE = 40543 -- Take: Implode items on same track into takes
local PROGRAM_CHANGE = 0xC0
local PATIENCE = 60 -- seconds without a sign of life from the program
local ESCAPE = 27

local ACTIONS = { "continue", "fill", "accompany" }
local MENU = "Continue|Fill the time selection|Accompany|Four takes of what was asked last"

-- The fields of each dialog: what it shows, the name of the option, and what stands there at first.
local FIELDS = {
  continue = {
    { "Takes", "variations", "1" },
    { "Bars", "bars", "8" },
    { "New instruments", "instruments", "" },
    { "Chords (C | Am | F | G7)", "chords", "" },
    { "Temperature", "temperature", "" },
    { "Seed", "seed", "" },
  },
  fill = {
    { "Takes", "variations", "1" },
    { "Only these instruments", "instruments", "" },
    { "Chords (C | Am | F | G7)", "chords", "" },
    { "Temperature", "temperature", "" },
    { "Seed", "seed", "" },
  },
  accompany = {
    { "Takes", "variations", "1" },
    { "Parts to write", "instruments", "drums, bass, piano" },
    { "Chords (C | Am | F | G7)", "chords", "" },
    { "Temperature", "temperature", "" },
    { "Seed", "seed", "" },
  },
}

-- Errors that the user can mend are tables, all others are texts with a place in this file.
local function fail(sentence)
  error({ sentence = sentence }, 0)
end

local function say(problem)
  local text = type(problem) == "table" and problem.sentence or "The script met an error: " .. tostring(problem)
  reaper.ShowMessageBox(text, TITLE, 0)
end

local function read(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

local function write(path, text)
  local file, reason = io.open(path, "wb")
  if not file then fail("A file cannot be written: " .. tostring(reason)) end
  file:write(text)
  file:close()
end

local function fields_of(line)
  local found = {}
  for field in (line .. "\t"):gmatch("([^\t]*)\t") do found[#found + 1] = field end
  return found
end

-- The project ------------------------------------------------------------------------------------

local function entry_of(item)
  local take = reaper.GetActiveTake(item)
  if not take or not reaper.TakeIsMIDI(take) then return nil end
  local position = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local stop = position + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  return {
    item = item,
    take = take,
    track = reaper.GetMediaItem_Track(item),
    position = position,
    stop = stop,
    first = reaper.TimeMap2_timeToQN(0, position),
    last = reaper.TimeMap2_timeToQN(0, stop),
    selected = reaper.IsMediaItemSelected(item),
  }
end

-- A looped item plays notes that its take does not list, so its copy would be another music.
local function refuse_looped(entry)
  if reaper.GetMediaItemInfo_Value(entry.item, "B_LOOPSRC") == 0 then return end
  local length, in_quarters = reaper.GetMediaSourceLength(reaper.GetMediaItemTake_Source(entry.take))
  local seconds = reaper.GetMediaItemTakeInfo_Value(entry.take, "D_STARTOFFS")
  local offset = reaper.TimeMap2_timeToQN(0, entry.position + seconds) - entry.first
  local rate = reaper.GetMediaItemTakeInfo_Value(entry.take, "D_PLAYRATE")
  if in_quarters and (entry.last - entry.first) * rate > length - offset + 8 * NEAR then
    local bar = reaper.TimeMap_QNToMeasures(0, entry.first + NEAR)
    fail("The item in bar " .. bar .. " is looped. Glue it first (Item: Glue items), then ask again.")
  end
end

local function is_heard(entry)
  if entry.selected then return true end
  local muted = reaper.GetMediaTrackInfo_Value(entry.track, "B_MUTE") ~= 0
  return not muted and reaper.GetMediaItemInfo_Value(entry.item, "B_MUTE") == 0
end

-- The MIDI items that are heard: the selected ones, for a fill all others beside them too.
local function entries_for(action)
  local entries, selected = {}, 0
  for index = 0, reaper.CountMediaItems(0) - 1 do
    local entry = entry_of(reaper.GetMediaItem(0, index))
    if entry and (entry.selected or action == "fill") and is_heard(entry) then
      if entry.selected then
        refuse_looped(entry)
        selected = selected + 1
      end
      entries[#entries + 1] = entry
    end
  end
  if selected == 0 then fail("Select one or more MIDI items first.") end
  return entries
end

local function time_selection()
  local start, stop = reaper.GetSet_LoopTimeRange2(0, false, false, 0, 0, false)
  if stop <= start then return nil end
  return { first = reaper.TimeMap2_timeToQN(0, start), last = reaper.TimeMap2_timeToQN(0, stop) }
end

local function track_name(track)
  local _, name = reaper.GetSetMediaTrackInfo_String(track, "P_NAME", "", false)
  return (name:gsub("[\t\r\n]", " "))
end

-- The tracks of the items in the order of the project, and the number of each from 0.
local function tracks_of(entries)
  local tracks, seen = {}, {}
  for _, entry in ipairs(entries) do
    local place = reaper.GetMediaTrackInfo_Value(entry.track, "IP_TRACKNUMBER")
    if not seen[place] then
      seen[place] = { track = entry.track, place = place }
      tracks[#tracks + 1] = seen[place]
    end
    entry.own = seen[place]
    if entry.selected then entry.own.selected = true end
  end
  table.sort(tracks, function(one, other) return one.place < other.place end)
  for number, each in ipairs(tracks) do each.number = number - 1 end
  return tracks
end

local function notes_in(entry)
  local notes = {}
  local _, count = reaper.MIDI_CountEvts(entry.take)
  for index = 0, count - 1 do
    local _, _, muted, from, to, channel, pitch, velocity = reaper.MIDI_GetNote(entry.take, index)
    local start = reaper.MIDI_GetProjQNFromPPQPos(entry.take, from)
    local stop = math.min(reaper.MIDI_GetProjQNFromPPQPos(entry.take, to), entry.last)
    if start > entry.first - NEAR and start < entry.last - NEAR then
      notes[#notes + 1] = {
        start = start, stop = math.max(stop, start + NEAR), muted = muted,
        channel = channel, pitch = pitch, velocity = velocity,
      }
    end
  end
  return notes
end

local function program_in(entry)
  local _, _, count = reaper.MIDI_CountEvts(entry.take)
  for index = 0, count - 1 do
    local _, _, _, _, message, _, program = reaper.MIDI_GetCC(entry.take, index)
    if message == PROGRAM_CHANGE then return program end
  end
  return nil
end

-- The bars from the one that holds `first` to the one before `last`: where each begins, its meter and pace.
local function bars_between(first, last)
  local bars, at = {}, first
  repeat
    local _, from, to = reaper.TimeMap_QNToMeasures(0, at + NEAR)
    local time, following = reaper.TimeMap2_QNToTime(0, from), reaper.TimeMap2_QNToTime(0, to)
    local beats, unit = reaper.TimeMap_GetTimeSigAtTime(0, (time + following) / 2)
    bars[#bars + 1] = { qn = from, beats = beats, unit = unit, bpm = 60 * (to - from) / (following - time) }
    at = to
  until to <= from or at >= last - NEAR
  return bars
end

-- What is asked ----------------------------------------------------------------------------------

local function collect(action)
  local range = time_selection()
  if action == "fill" and not range then fail("Set a time selection over the bars to write anew.") end
  local entries = entries_for(action)
  local song = { action = action, range = range, entries = entries, tracks = tracks_of(entries) }
  local first, last = math.huge, -math.huge
  for _, entry in ipairs(entries) do first, last = math.min(first, entry.first), math.max(last, entry.last) end
  if range then first, last = math.min(first, range.first), math.max(last, range.last) end
  if action == "continue" and range then last = range.last end
  song.bars = bars_between(first, last)
  song.origin, song.last = song.bars[1].qn, last
  return song
end

local function request_of(song, options)
  local lines = { "musenet reaper 1", "action\t" .. song.action }
  local function line(...) lines[#lines + 1] = table.concat({ ... }, "\t") end
  local function at(qn) return string.format("%.6f", math.max(qn - song.origin, 0)) end
  for _, option in ipairs(options) do line("option", option[1], option[2]) end
  if song.range and song.action ~= "continue" then line("range", at(song.range.first), at(song.range.last)) end
  line("end", at(song.last))
  for _, bar in ipairs(song.bars) do
    line("bar", at(bar.qn), math.floor(bar.beats + 0.5), math.floor(bar.unit + 0.5), string.format("%.6f", bar.bpm))
  end
  for _, each in ipairs(song.tracks) do
    line("track", each.number, each.selected and "selected" or "heard", track_name(each.track))
  end
  song.notes = {}
  for _, entry in ipairs(song.entries) do
    local program = program_in(entry)
    if program then line("program", entry.own.number, math.floor(program)) end
    for _, note in ipairs(notes_in(entry)) do
      if not note.muted and (song.action ~= "continue" or note.start < song.last - NEAR) then
        song.notes[#song.notes + 1] = { entry = entry, note = note }
        line("note", entry.own.number, at(note.start), at(note.stop), math.floor(note.channel),
          math.floor(note.pitch), math.floor(note.velocity))
      end
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- The takes --------------------------------------------------------------------------------------

local function parsed(answer, song)
  local found = { takes = {}, tracks = {} }
  for text in answer:gmatch("[^\n]+") do
    local field = fields_of(text)
    local take = found.takes[#found.takes]
    if field[1] == "span" then
      found.first, found.last = song.origin + tonumber(field[2]), song.origin + tonumber(field[3])
    elseif field[1] == "track" then
      found.tracks[#found.tracks + 1] = { number = math.tointeger(tonumber(field[2])), name = field[3] }
    elseif field[1] == "take" then
      found.takes[#found.takes + 1] = { name = field[2], removed = {}, added = {} }
    elseif field[1] == "remove" then
      take.removed[#take.removed + 1] = song.notes[math.tointeger(tonumber(field[2])) + 1]
    elseif field[1] == "add" then
      take.added[#take.added + 1] = {
        number = math.tointeger(tonumber(field[2])),
        start = song.origin + tonumber(field[3]), stop = song.origin + tonumber(field[4]),
        channel = math.tointeger(tonumber(field[5])), pitch = math.tointeger(tonumber(field[6])),
        velocity = math.tointeger(tonumber(field[7])),
      }
    end
  end
  return found
end

local function insert(take, note, last)
  local from = reaper.MIDI_GetPPQPosFromProjQN(take, note.start)
  local to = reaper.MIDI_GetPPQPosFromProjQN(take, math.min(note.stop, last))
  local done = reaper.MIDI_InsertNote(take, false, note.muted or false, from, math.max(to, from + 1),
    math.floor(note.channel), math.floor(note.pitch), math.floor(note.velocity), true)
  if not done then fail("REAPER took no note into a new item.") end
end

local function new_item(track, start, stop, name)
  local item = reaper.CreateNewMIDIItemInProj(track, start, stop, false)
  local take = item and reaper.GetActiveTake(item)
  if not take then fail("REAPER made no MIDI item.") end
  reaper.GetSetMediaItemTakeInfo_String(take, "P_NAME", name, true)
  return item, take
end

local function same(one, other)
  return one.channel == other.channel and one.pitch == other.pitch and math.abs(one.start - other.start) < NEAR
end

-- Controllers, bends, texts and SysEx of the active take, at their places in a new one.
local function copy_events(entry, take)
  local function place(ppq)
    local qn = reaper.MIDI_GetProjQNFromPPQPos(entry.take, ppq)
    if qn < entry.first - NEAR or qn > entry.last + NEAR then return nil end
    return reaper.MIDI_GetPPQPosFromProjQN(take, qn)
  end
  local _, _, controllers, texts = reaper.MIDI_CountEvts(entry.take)
  for index = 0, controllers - 1 do
    local _, _, muted, ppq, message, channel, second, third = reaper.MIDI_GetCC(entry.take, index)
    local at = place(ppq)
    if at then
      reaper.MIDI_InsertCC(take, false, muted, at, math.floor(message), math.floor(channel),
        math.floor(second), math.floor(third))
    end
  end
  for index = 0, texts - 1 do
    local _, _, muted, ppq, kind, bytes = reaper.MIDI_GetTextSysexEvt(entry.take, index, false, false, 0, 0, "")
    local at = place(ppq)
    if at then reaper.MIDI_InsertTextSysexEvt(take, false, muted, at, math.floor(kind), bytes) end
  end
end

-- A new item in the place of an old one, with the notes of its active take but for some, and new ones.
local function changed_copy(entry, removed, added, name)
  local item, take = new_item(entry.track, entry.position, entry.stop, name)
  copy_events(entry, take)
  for _, note in ipairs(notes_in(entry)) do
    local gone = false
    for _, each in ipairs(removed) do gone = gone or (not note.muted and same(each.note, note)) end
    if not gone then insert(take, note, entry.last) end
  end
  for _, note in ipairs(added) do insert(take, note, entry.last) end
  reaper.MIDI_Sort(take)
  return item
end

-- Several items in one place become the takes of one, of which the first new one plays.
local function as_takes(items, name)
  local item = items[1]
  if #items > 1 then
    reaper.SelectAllMediaItems(0, false)
    for _, each in ipairs(items) do reaper.SetMediaItemSelected(each, true) end
    reaper.Main_OnCommand(IMPLODE, 0)
    item = reaper.GetSelectedMediaItem(0, 0)
  end
  for index = reaper.CountTakes(item) - 1, 0, -1 do
    local take = reaper.GetMediaItemTake(item, index)
    local _, own = reaper.GetSetMediaItemTakeInfo_String(take, "P_NAME", "", false)
    if own == name then
      reaper.SetActiveTake(take)
      break
    end
  end
  return item
end

local function item_at(song, own, qn)
  for _, entry in ipairs(song.entries) do
    local inside = qn > entry.first - NEAR and qn < entry.last - NEAR
    if entry.own == own and entry.selected and inside and song.action ~= "continue" then return entry end
  end
  return nil
end

-- What a take changes, by the old items that it changes; `loose` are notes that lie in none.
local function sorted_out(song, take, own)
  local by_entry, loose = {}, {}
  local function of(entry)
    by_entry[entry] = by_entry[entry] or { removed = {}, added = {} }
    return by_entry[entry]
  end
  for _, each in ipairs(take.removed) do
    if each.entry.own == own then table.insert(of(each.entry).removed, each) end
  end
  for _, note in ipairs(take.added) do
    if note.number == own.number then
      local entry = item_at(song, own, note.start)
      table.insert(entry and of(entry).added or loose, note)
    end
  end
  return by_entry, loose
end

local function write_track(song, found, own)
  local results, copies, items, last = {}, {}, {}, found.last
  for _, take in ipairs(found.takes) do
    take.parts, take.loose = sorted_out(song, take, own)
    for entry in pairs(take.parts) do copies[entry] = {} end
    for _, note in ipairs(take.loose) do last = math.max(last, note.stop) end
  end
  local name = found.takes[1].name
  for _, entry in ipairs(song.entries) do
    if copies[entry] then
      table.insert(copies[entry], entry.item)
      for _, take in ipairs(found.takes) do
        local part = take.parts[entry] or { removed = {}, added = {} }
        table.insert(copies[entry], changed_copy(entry, part.removed, part.added, take.name))
      end
      results[#results + 1] = as_takes(copies[entry], name)
    end
  end
  for _, take in ipairs(found.takes) do
    if #take.loose > 0 then
      local start, stop = reaper.TimeMap2_QNToTime(0, found.first), reaper.TimeMap2_QNToTime(0, last)
      local item, own_take = new_item(own.track, start, stop, take.name)
      for _, note in ipairs(take.loose) do insert(own_take, note, last) end
      reaper.MIDI_Sort(own_take)
      items[#items + 1] = item
    end
  end
  if #items > 0 then results[#results + 1] = as_takes(items, name) end
  return results
end

local function write_takes(song, found)
  for _, entry in ipairs(song.entries) do
    if not reaper.ValidatePtr2(0, entry.item, "MediaItem*") or not reaper.ValidatePtr2(0, entry.take, "MediaItem_Take*") then
      fail("An item was removed while music was made.")
    end
  end
  local changes = 0
  for _, take in ipairs(found.takes) do changes = changes + #take.removed + #take.added end
  if changes == 0 then fail("No note was written. Ask again: without a seed there is other music each time.") end
  for _, each in ipairs(found.tracks) do
    local index = reaper.CountTracks(0)
    reaper.InsertTrackAtIndex(index, true)
    each.track = reaper.GetTrack(0, index)
    reaper.GetSetMediaTrackInfo_String(each.track, "P_NAME", each.name, true)
    song.tracks[#song.tracks + 1] = each
  end
  local results = {}
  for _, own in ipairs(song.tracks) do
    for _, item in ipairs(write_track(song, found, own)) do results[#results + 1] = item end
  end
  reaper.SelectAllMediaItems(0, false)
  for _, item in ipairs(results) do reaper.SetMediaItemSelected(item, true) end
end

-- All of it is one step of undo; where something goes wrong in the middle, that step is undone.
local function apply(song, found)
  reaper.Undo_BeginBlock2(0)
  reaper.PreventUIRefresh(1)
  local done, problem = xpcall(write_takes, function(problem)
    return type(problem) == "table" and problem or debug.traceback(problem)
  end, song, found)
  reaper.PreventUIRefresh(-1)
  reaper.Undo_EndBlock2(0, TITLE .. ": " .. song.action, -1)
  if not done then reaper.Undo_DoUndo2(0) end
  reaper.UpdateArrange()
  if not done then error(problem, 0) end
end

-- Asking, waiting --------------------------------------------------------------------------------

local function close_window()
  gfx.quit()
end

local function paths_of(run)
  local folder = reaper.GetResourcePath() .. "/MuseNet"
  reaper.RecursiveCreateDirectory(folder, 0)
  local start = folder .. "/" .. reaper.genGuid(""):gsub("[^%w]", "") .. "."
  for _, name in ipairs({ "request", "answer", "progress", "cancel" }) do run[name] = start .. name .. ".txt" end
  run.music = start
end

local function clean(run, takes)
  for _, name in ipairs({ "request", "answer", "progress", "cancel" }) do os.remove(run[name]) end
  for number = 1, takes do os.remove(run.music .. number .. ".mid") end
end

local function finish(run, answer)
  close_window()
  local kind, words = answer:match("^(%a+)\t?([^\n]*)")
  if kind ~= "ok" then
    clean(run, 0)
    if kind == "error" then say({ sentence = words }) end
    return
  end
  local found = parsed(answer, run.song)
  local done, problem = pcall(apply, run.song, found)
  if done then
    clean(run, #found.takes)
    return
  end
  clean(run, 0)
  local sentence = type(problem) == "table" and problem.sentence or tostring(problem)
  say({ sentence = sentence .. "\n\nThe project is as it was. The music is in " .. run.music .. "1.mid." })
end

local function draw(run, sign)
  gfx.set(0.9, 0.9, 0.9, 1)
  gfx.x, gfx.y = 16, 20
  local share = tonumber(fields_of(sign or "")[2] or "") or 0
  local text = run.cancelled and "Stopping …" or string.format("Writing … %d %%     Esc stops", math.floor(100 * share))
  gfx.drawstr(text)
  gfx.update()
end

local function wait(run)
  local answer = read(run.answer)
  if answer then
    finish(run, answer)
    return
  end
  local sign, now = read(run.progress), reaper.time_precise()
  if sign ~= run.sign then run.sign, run.heard = sign, now end
  if now - run.heard > PATIENCE then
    close_window()
    write(run.cancel, "")
    say({ sentence = "MuseNet does not answer. What does a terminal say to this?\n\n" .. COMMAND })
    return
  end
  if not run.cancelled then
    local key = gfx.getchar()
    if key == ESCAPE or key < 0 then
      run.cancelled = true
      write(run.cancel, "")
    end
  end
  draw(run, sign)
  reaper.defer(function()
    local done, problem = pcall(wait, run)
    if not done then
      close_window()
      say(problem)
    end
  end)
end

local function asked(action, takes)
  local fields, captions, values = FIELDS[action], {}, {}
  for index, field in ipairs(fields) do
    captions[index] = field[1]
    local kept = reaper.HasExtState(TITLE, action .. "." .. field[2])
    values[index] = kept and reaper.GetExtState(TITLE, action .. "." .. field[2]) or field[3]
  end
  if takes then
    for index, field in ipairs(fields) do
      if field[2] == "variations" then values[index] = takes end
      if field[2] == "seed" then values[index] = "" end
    end
  else
    captions[#captions + 1] = "extrawidth=240"
    captions[#captions + 1] = "separator=\n"
    local given, text = reaper.GetUserInputs(TITLE .. ": " .. action, #fields, table.concat(captions, ","),
      table.concat(values, "\n"))
    if not given then return nil end
    values = {}
    for value in (text .. "\n"):gmatch("([^\n]*)\n") do values[#values + 1] = value end
  end
  local options = {}
  for index, field in ipairs(fields) do
    local value = (values[index] or ""):match("^%s*(.-)%s*$"):gsub("\t", " ")
    if not takes then reaper.SetExtState(TITLE, action .. "." .. field[2], value, true) end
    if value ~= "" then options[#options + 1] = { field[2], value } end
  end
  return options
end

local function main()
  gfx.init(TITLE, 320, 60)
  gfx.x, gfx.y = 0, 0
  local choice = gfx.showmenu(MENU)
  if choice == 0 then return close_window() end
  local action, takes = ACTIONS[choice], nil
  if not action then
    local last = reaper.GetExtState(TITLE, "last")
    action, takes = FIELDS[last] and last or "continue", "4"
  end
  local song = collect(action)
  local options = asked(action, takes)
  if not options then return close_window() end
  reaper.SetExtState(TITLE, "last", action, true)
  local run = { song = song }
  paths_of(run)
  write(run.request, request_of(song, options))
  reaper.ExecProcess(COMMAND .. ' "' .. run.request .. '"', -2)
  run.heard = reaper.time_precise()
  wait(run)
end

local done, problem = pcall(main)
if not done then
  close_window()
  say(problem)
end
