-- Sends every new original CT, MR and MG series to the virtual scanner once it is stable; the node's
-- routes decide what is translated.
-- Load it with  "LuaScripts": ["/etc/orthanc/autoroute.lua"].
--
-- Loop guard: what the node sends back is stored here too and becomes stable in its turn. It is
-- left alone, recognised by its own attributes and not by its text alone.

local MODALITY = 'vscanner'
local SENT = {CT = true, MR = true, MG = true}

local function made_by_software(seriesId)
  local instances = ParseJson(RestApiGet('/series/' .. seriesId .. '/instances'))
  if instances == nil or instances[1] == nil then return true end
  local tags = ParseJson(RestApiGet('/instances/' .. instances[1]['ID'] .. '/tags'))
  local function value(tag)
    if tags[tag] == nil or type(tags[tag]['Value']) ~= 'string' then return '' end
    return tags[tag]['Value']
  end
  return value('0008,001c') == 'YES'                      -- Synthetic Data
      or string.find(value('0008,0008'), 'DERIVED') ~= nil  -- Image Type
      or string.find(value('0008,103e'), '^SYNTHETIC') ~= nil
end

function OnStableSeries(seriesId, tags, metadata)
  if not SENT[tags['Modality']] or made_by_software(seriesId) then return end
  RestApiPost('/modalities/' .. MODALITY .. '/store',
              DumpJson({Resources = {seriesId}, Asynchronous = true}))
end
