BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE api_keys (
	name TEXT NOT NULL, 
	role VARCHAR(16) NOT NULL, 
	scopes JSON NOT NULL, 
	secret_sha256 VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	expires DATETIME, 
	revoked DATETIME, 
	last_used DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_api_keys PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_api_keys_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE audit_checkpoints (
	tenant VARCHAR(64) NOT NULL, 
	number INTEGER NOT NULL, 
	size INTEGER NOT NULL, 
	root VARCHAR(64) NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	public_key VARCHAR(64) NOT NULL, 
	signature VARCHAR(128) NOT NULL, 
	CONSTRAINT pk_audit_checkpoints PRIMARY KEY (tenant, number), 
	CONSTRAINT fk_audit_checkpoints_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "audit_checkpoints" VALUES('local',1,38,'a037d9b46aa3f0a4d6a3387967cae447514b11bc27b8bb43d0317cd34ff6af40','2026-03-01T12:00:00.000000+00:00','526d866b392cf2c9842b3ce635abcea2344e91bdf820e5496fcf837f08afa66e','640bc42796c60a4a168fdf69b5d4b4943b9987c6a536cf466ede2b93fc3438b5','7d751f659363d82e8d6873372c0968587192812b9b921b6c2d79c9a055ec07192dcdbf99a0a220e9703d1ba039f8ef7e6964724a8520b423567deff2e33cac0e');
CREATE TABLE audit_events (
	tenant VARCHAR(64) NOT NULL, 
	sequence INTEGER NOT NULL, 
	at VARCHAR(32) NOT NULL, 
	actor TEXT NOT NULL, 
	action VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	object TEXT NOT NULL, 
	details TEXT NOT NULL, 
	previous VARCHAR(64) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_events PRIMARY KEY (tenant, sequence), 
	CONSTRAINT fk_audit_events_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "audit_events" VALUES('local',1,'2026-03-01T12:00:00.000000+00:00','system','tenant.created','tenant','local','{}','526d866b392cf2c9842b3ce635abcea2344e91bdf820e5496fcf837f08afa66e','8cd5e19276a24611ea35cd67e96354794dd9a54ae89fdba89d866dfc3f811a86');
INSERT INTO "audit_events" VALUES('local',2,'2026-03-01T12:00:00.000000+00:00','test','policy.added','policy','default','{"version":1}','8cd5e19276a24611ea35cd67e96354794dd9a54ae89fdba89d866dfc3f811a86','8daeeeb778efa9756558e44c9dc96cd98eb6a7ad0bbe87482fce31b54a736ff8');
INSERT INTO "audit_events" VALUES('local',3,'2026-03-01T12:00:00.000000+00:00','test','consent.text_added','consent_text','2026-01','{"language":"en","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02"}','8daeeeb778efa9756558e44c9dc96cd98eb6a7ad0bbe87482fce31b54a736ff8','077afc5698654ceb4557d3868d7a786f1512ffddef59f4c2e53279c8c51f483a');
INSERT INTO "audit_events" VALUES('local',4,'2026-03-01T12:00:00.000000+00:00','golden','webhook.endpoint_added','webhook_endpoint','whe_01m81g3tk8psnvrjbx90adqxpk','{}','077afc5698654ceb4557d3868d7a786f1512ffddef59f4c2e53279c8c51f483a','c53bc145337e264cafa32b9fb4fd8107df7ac7e85d632d3f71574b59495e979d');
INSERT INTO "audit_events" VALUES('local',5,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81g3tkpwzb3pqg36h0ef4rr','{"case":"case_01m81g3tkp4wvz12r638ywcwv8","policy":"default","policy_version":1}','c53bc145337e264cafa32b9fb4fd8107df7ac7e85d632d3f71574b59495e979d','8b4bfefd7ebc480be7d2c92f68f55f596f2388029c04785aa077816305146573');
INSERT INTO "audit_events" VALUES('local',6,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81g3tkpwzb3pqg36h0ef4rr','{"attempt":1,"consent":"con_01m81g3tnd3f8zr23c0zgvnwpz","state":"collecting","version":2}','8b4bfefd7ebc480be7d2c92f68f55f596f2388029c04785aa077816305146573','c9d76ecb1c4ea41201f632c7de5550cf87fb415e2c8fe46b8e102ac15088c268');
INSERT INTO "audit_events" VALUES('local',7,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81g3tnd3f8zr23c0zgvnwpz','{"case":"case_01m81g3tkp4wvz12r638ywcwv8","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','c9d76ecb1c4ea41201f632c7de5550cf87fb415e2c8fe46b8e102ac15088c268','388829d7d48511df147994c53e7d4beac037d92de00f985633419235806276e0');
INSERT INTO "audit_events" VALUES('local',8,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81g3tkpwzb3pqg36h0ef4rr','{"attempt":1,"media":"med_01m81g3tnxchrv5v297xjpsthh","role":"selfie","state":"collecting","version":3}','388829d7d48511df147994c53e7d4beac037d92de00f985633419235806276e0','f3a8f9cc2918abc67ad6676392be7f3551e5f451721d2f7b2e08a9053166a851');
INSERT INTO "audit_events" VALUES('local',9,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81g3tpny42qjcn2shyben79','{"case":"case_01m81g3tkp4wvz12r638ywcwv8","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','f3a8f9cc2918abc67ad6676392be7f3551e5f451721d2f7b2e08a9053166a851','7a6e9c790846012ffbe663d7d68ca331e66fd43a1767a2cae70f317bc03215ab');
INSERT INTO "audit_events" VALUES('local',10,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81g3tkpwzb3pqg36h0ef4rr','{"attempt":1,"state":"submitted","version":4}','7a6e9c790846012ffbe663d7d68ca331e66fd43a1767a2cae70f317bc03215ab','852b104c0bab239c6349cb53619afe32ada16c77f24d59eccfdee5bee74eba77');
INSERT INTO "audit_events" VALUES('local',11,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81g3tkpwzb3pqg36h0ef4rr','{"attempt":1,"state":"processing","version":5}','852b104c0bab239c6349cb53619afe32ada16c77f24d59eccfdee5bee74eba77','e0f3dca938ef3861dd238b6449380b8d9bc7943a78c4663c691e61c1da8606f4');
INSERT INTO "audit_events" VALUES('local',12,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m81g3tkpwzb3pqg36h0ef4rr','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','e0f3dca938ef3861dd238b6449380b8d9bc7943a78c4663c691e61c1da8606f4','f4b4668855dd1cdec908717ffcf2a71a62aa40dd7077f54d27e856470893a205');
INSERT INTO "audit_events" VALUES('local',13,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m81g3tt36hvwzgm2wpxh1k9f','{"case":"case_01m81g3tkp4wvz12r638ywcwv8","consent":"con_01m81g3tpny42qjcn2shyben79","media":1,"references":1}','f4b4668855dd1cdec908717ffcf2a71a62aa40dd7077f54d27e856470893a205','f34a7164ba2eff306c4df3bbaf09323dca0427f496b7af835b91049d0ef81683');
INSERT INTO "audit_events" VALUES('local',14,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81g3tv5rq1ngvwe0me8mcnw','{"case":"case_01m81g3tv5zt2mfk15dm6evytf","policy":"default","policy_version":1}','f34a7164ba2eff306c4df3bbaf09323dca0427f496b7af835b91049d0ef81683','199c7dc848fc26fde64bd16e799a0740e0b8fd6031ffb3174af26ace7f86987e');
INSERT INTO "audit_events" VALUES('local',15,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81g3tv5rq1ngvwe0me8mcnw','{"attempt":1,"consent":"con_01m81g3tvdmep3n4t3gy4mt0h9","state":"collecting","version":2}','199c7dc848fc26fde64bd16e799a0740e0b8fd6031ffb3174af26ace7f86987e','f4500a26d05e757925584b5f7ac6d7c84bdfbab05cc60cbc51a31a9c8d1a49fb');
INSERT INTO "audit_events" VALUES('local',16,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81g3tvdmep3n4t3gy4mt0h9','{"case":"case_01m81g3tv5zt2mfk15dm6evytf","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','f4500a26d05e757925584b5f7ac6d7c84bdfbab05cc60cbc51a31a9c8d1a49fb','f1cf2cdb1fbbf12dc69e31f0161ae7279c15575c6fe4a13e008b7619cea16cbc');
INSERT INTO "audit_events" VALUES('local',17,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81g3tv5rq1ngvwe0me8mcnw','{"attempt":1,"media":"med_01m81g3tw1ary6mbkrsash97vd","role":"selfie","state":"collecting","version":3}','f1cf2cdb1fbbf12dc69e31f0161ae7279c15575c6fe4a13e008b7619cea16cbc','8f4b09cdfc11ce67b32a9da03595e6b0f9bde00ea37131cb5fd298934d49585c');
INSERT INTO "audit_events" VALUES('local',18,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81g3twxfewad7zmz173pg7j','{"case":"case_01m81g3tv5zt2mfk15dm6evytf","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','8f4b09cdfc11ce67b32a9da03595e6b0f9bde00ea37131cb5fd298934d49585c','98e36fac4da551e83c8449385ccafd4a37c04611bff66eb19ee3f05e638d3eb9');
INSERT INTO "audit_events" VALUES('local',19,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81g3tv5rq1ngvwe0me8mcnw','{"attempt":1,"state":"submitted","version":4}','98e36fac4da551e83c8449385ccafd4a37c04611bff66eb19ee3f05e638d3eb9','25a0eec4970255b0e3f540c536c1e7743bd3eaca2a3d42c961e082ed95fc4e4d');
INSERT INTO "audit_events" VALUES('local',20,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81g3tv5rq1ngvwe0me8mcnw','{"attempt":1,"state":"processing","version":5}','25a0eec4970255b0e3f540c536c1e7743bd3eaca2a3d42c961e082ed95fc4e4d','6a8f430a838a0e0cae6aba6ffecc133e113cb64004fbb64efb73d0cb2f46bc7f');
INSERT INTO "audit_events" VALUES('local',21,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.accept','session','ses_01m81g3tv5rq1ngvwe0me8mcnw','{"attempt":1,"decision":"accept","policy":"default","policy_version":1,"state":"accepted","version":6,"worker":"golden"}','6a8f430a838a0e0cae6aba6ffecc133e113cb64004fbb64efb73d0cb2f46bc7f','c6dea61b062b8f01bf297cb277817512fe1db61836827111f43e71f3749e1518');
INSERT INTO "audit_events" VALUES('local',22,'2026-03-01T12:00:00.000000+00:00','k','subject.enrolled','subject','sub_01m81g3tzc1mvzxpn7jygvvpy9','{"case":"case_01m81g3tv5zt2mfk15dm6evytf","consent":"con_01m81g3twxfewad7zmz173pg7j","media":1,"references":1}','c6dea61b062b8f01bf297cb277817512fe1db61836827111f43e71f3749e1518','55f3b7126e4b889e53b0f1a166282b8d9720cd9f7e537cbe97e1761cc96d4b2c');
INSERT INTO "audit_events" VALUES('local',23,'2026-03-01T12:00:00.000000+00:00','k','session.redact','session','ses_01m81g3tv5rq1ngvwe0me8mcnw','{"attempt":1,"state":"redacted","version":7}','55f3b7126e4b889e53b0f1a166282b8d9720cd9f7e537cbe97e1761cc96d4b2c','5fac4d105188f6cd354da21b6190102741932980d754c13c1e5a2923e53d8df4');
INSERT INTO "audit_events" VALUES('local',24,'2026-03-01T12:00:00.000000+00:00','k','case.media_deleted','case','case_01m81g3tv5zt2mfk15dm6evytf','{"count":0,"reason":"request"}','5fac4d105188f6cd354da21b6190102741932980d754c13c1e5a2923e53d8df4','bfea24eff464b7114a0a0cc36daab76a7e8152379bfc1cab9886a0c8a4c17e15');
INSERT INTO "audit_events" VALUES('local',25,'2026-03-01T12:00:00.000000+00:00','k','case.redacted','case','case_01m81g3tv5zt2mfk15dm6evytf','{"reason":"request"}','bfea24eff464b7114a0a0cc36daab76a7e8152379bfc1cab9886a0c8a4c17e15','eb32be968e8494c0fc029c1acf35e47d1d23bb04fadb99716cfe43453442833c');
INSERT INTO "audit_events" VALUES('local',26,'2026-03-01T12:00:00.000000+00:00','k','subject.erased','subject','sub_01m81g3tzc1mvzxpn7jygvvpy9','{"media":1,"reason":"request"}','eb32be968e8494c0fc029c1acf35e47d1d23bb04fadb99716cfe43453442833c','7601684c6524c947fd914507b17412d5f396f69e34b2f76da4356cd7ea70bf73');
INSERT INTO "audit_events" VALUES('local',27,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81g3v4n08b9xy5be9pw8y40','{"case":"case_01m81g3v4nd1vyx1az1j3bb5b0","policy":"default","policy_version":1}','7601684c6524c947fd914507b17412d5f396f69e34b2f76da4356cd7ea70bf73','0135283f8b34ea4dd5683373cd85d2a81f5cb4a319afde3c31e76bd8d54cb943');
INSERT INTO "audit_events" VALUES('local',28,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81g3v4n08b9xy5be9pw8y40','{"attempt":1,"consent":"con_01m81g3v5bzcwyf1dsayq6t1mg","state":"collecting","version":2}','0135283f8b34ea4dd5683373cd85d2a81f5cb4a319afde3c31e76bd8d54cb943','97b1f19ee3510e7040198da0438cc9a0cc2eb55a368f511139e2feb807e847e7');
INSERT INTO "audit_events" VALUES('local',29,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81g3v5bzcwyf1dsayq6t1mg','{"case":"case_01m81g3v4nd1vyx1az1j3bb5b0","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','97b1f19ee3510e7040198da0438cc9a0cc2eb55a368f511139e2feb807e847e7','87146b0cfffa0725afb4f9e32f364ef17121b280e5d2fcc64cf11b3d2b02d62d');
INSERT INTO "audit_events" VALUES('local',30,'2026-03-01T12:00:00.000000+00:00','c','session.upload','session','ses_01m81g3v4n08b9xy5be9pw8y40','{"attempt":1,"media":"med_01m81g3v5yf7yvp6mm2wc1652m","role":"selfie","state":"collecting","version":3}','87146b0cfffa0725afb4f9e32f364ef17121b280e5d2fcc64cf11b3d2b02d62d','5c8f1e991f827f031410564b81ec4f2294ed71b6238694b489b7ac737ac3c905');
INSERT INTO "audit_events" VALUES('local',31,'2026-03-01T12:00:00.000000+00:00','c','consent.given','consent','con_01m81g3v6e0f2p8fk59xnda8xq','{"case":"case_01m81g3v4nd1vyx1az1j3bb5b0","language":"en","purpose":"enrolment","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','5c8f1e991f827f031410564b81ec4f2294ed71b6238694b489b7ac737ac3c905','8a156b0c763bef90804e199759f90b21fb82001d33733724bbc72d8637f13179');
INSERT INTO "audit_events" VALUES('local',32,'2026-03-01T12:00:00.000000+00:00','c','session.submit','session','ses_01m81g3v4n08b9xy5be9pw8y40','{"attempt":1,"state":"submitted","version":4}','8a156b0c763bef90804e199759f90b21fb82001d33733724bbc72d8637f13179','57eb8bbc193cfbf3313c280ba91295c5cef5fc7452db32537f7a79d8c0e56d1f');
INSERT INTO "audit_events" VALUES('local',33,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.claim','session','ses_01m81g3v4n08b9xy5be9pw8y40','{"attempt":1,"state":"processing","version":5}','57eb8bbc193cfbf3313c280ba91295c5cef5fc7452db32537f7a79d8c0e56d1f','cd1204aba10efceb213829ca812c0db585cde81f7607f2629c663a82f8702444');
INSERT INTO "audit_events" VALUES('local',34,'2026-03-01T12:00:00.000000+00:00','worker:golden','session.ask_review','session','ses_01m81g3v4n08b9xy5be9pw8y40','{"attempt":1,"decision":"review","policy":"default","policy_version":1,"state":"review","version":6,"worker":"golden"}','cd1204aba10efceb213829ca812c0db585cde81f7607f2629c663a82f8702444','b34d05800ecbd4900e8aa0c5d91b769078c3cfb1f176104968b329b56529e67e');
INSERT INTO "audit_events" VALUES('local',35,'2026-03-01T12:00:00.000000+00:00','key:test','session.created','session','ses_01m81g3v7q56bn6xcxwxn64m0d','{"case":"case_01m81g3v7q5j5fv2nv7b3kncy7","policy":"default","policy_version":1}','b34d05800ecbd4900e8aa0c5d91b769078c3cfb1f176104968b329b56529e67e','a7c5a10e876ac066fa36c9910df1d8b2be0432aa3120f40fff032d27323ed7f4');
INSERT INTO "audit_events" VALUES('local',36,'2026-03-01T12:00:00.000000+00:00','client','session.consent','session','ses_01m81g3v7q56bn6xcxwxn64m0d','{"attempt":1,"consent":"con_01m81g3v80avr079csze0eztqs","state":"collecting","version":2}','a7c5a10e876ac066fa36c9910df1d8b2be0432aa3120f40fff032d27323ed7f4','e43aaf14c268d989c00e4abe1aa1fd56721f2bcb20c6295eef2890d10c3c34f9');
INSERT INTO "audit_events" VALUES('local',37,'2026-03-01T12:00:00.000000+00:00','client','consent.given','consent','con_01m81g3v80avr079csze0eztqs','{"case":"case_01m81g3v7q5j5fv2nv7b3kncy7","language":"en","purpose":"verification","sha256":"826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02","text":"2026-01"}','e43aaf14c268d989c00e4abe1aa1fd56721f2bcb20c6295eef2890d10c3c34f9','dc20f6bbb10ed5554b1f97003f085ad39bcfbcb664b9dec9664b6a6a10969166');
INSERT INTO "audit_events" VALUES('local',38,'2026-03-01T12:00:00.000000+00:00','client','session.submit','session','ses_01m81g3v7q56bn6xcxwxn64m0d','{"attempt":1,"state":"submitted","version":3}','dc20f6bbb10ed5554b1f97003f085ad39bcfbcb664b9dec9664b6a6a10969166','bb629dcee7e08ff2763d113d9238397b4745c698ea7d5c1089b04c90f527023b');
CREATE TABLE audit_heads (
	tenant VARCHAR(64) NOT NULL, 
	sequence INTEGER NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	checkpoints INTEGER NOT NULL, 
	peaks TEXT NOT NULL, 
	mac VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_audit_heads PRIMARY KEY (tenant), 
	CONSTRAINT fk_audit_heads_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "audit_heads" VALUES('local',38,'bb629dcee7e08ff2763d113d9238397b4745c698ea7d5c1089b04c90f527023b',1,'b7a346d2e06c9b1b3c635099ca11d4b2a522adfe018e6b998ddd993d65f56341 4bc252fab3bc2c941836e5d88d1023bb3d911ac02ddae3050650560efc24be0f d2bc11471393972a45de849d9ec50b68bdbe922292035e467fa2833a24342f4f','1d12e6a453423fbdbc1794cab0855dd5560e9814e1f129eab029f274ce61c8a8');
CREATE TABLE cases (
	subject_id VARCHAR(64), 
	key_id VARCHAR(64) NOT NULL, 
	purpose VARCHAR(32) NOT NULL, 
	policy_id VARCHAR(64) NOT NULL, 
	policy_version INTEGER NOT NULL, 
	created DATETIME NOT NULL, 
	media_expires DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	media_deleted DATETIME, 
	redacted DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_cases PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_cases_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES keys (tenant, id), 
	CONSTRAINT fk_cases_tenant_policy_id_policy_version FOREIGN KEY(tenant, policy_id, policy_version) REFERENCES policies (tenant, id, version), 
	CONSTRAINT fk_cases_tenant_subject_id FOREIGN KEY(tenant, subject_id) REFERENCES subjects (tenant, id), 
	CONSTRAINT fk_cases_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "cases" VALUES('sub_01m81g3tt36hvwzgm2wpxh1k9f','key_01m81g3tkpfp8npj3cpmc2kgq6','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81g3tkp4wvz12r638ywcwv8');
INSERT INTO "cases" VALUES('sub_01m81g3tzc1mvzxpn7jygvvpy9','key_01m81g3tv5grxxkbz5ayabgdrg','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','case_01m81g3tv5zt2mfk15dm6evytf');
INSERT INTO "cases" VALUES(NULL,'key_01m81g3v4nfqs1measm1pkxb2b','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81g3v4nd1vyx1az1j3bb5b0');
INSERT INTO "cases" VALUES(NULL,'key_01m81g3v7q8gh6t4ymr5jjfe07','verification','default',1,'2026-03-01 12:00:00.000000','2026-03-31 12:00:00.000000','2027-03-01 12:00:00.000000',NULL,NULL,'local','case_01m81g3v7q5j5fv2nv7b3kncy7');
CREATE TABLE consent_texts (
	tenant VARCHAR(64) NOT NULL, 
	version VARCHAR(64) NOT NULL, 
	language VARCHAR(16) NOT NULL, 
	text TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	CONSTRAINT pk_consent_texts PRIMARY KEY (tenant, version, language), 
	CONSTRAINT fk_consent_texts_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "consent_texts" VALUES('local','2026-01','en','I agree.','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000');
CREATE TABLE consents (
	case_id VARCHAR(64), 
	subject_id VARCHAR(64), 
	purpose VARCHAR(32) NOT NULL, 
	text_version VARCHAR(64) NOT NULL, 
	language VARCHAR(16) NOT NULL, 
	text_sha256 VARCHAR(64) NOT NULL, 
	given DATETIME NOT NULL, 
	expires DATETIME, 
	withdrawn DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_consents PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_consents_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_consents_tenant_subject_id FOREIGN KEY(tenant, subject_id) REFERENCES subjects (tenant, id), 
	CONSTRAINT fk_consents_tenant_text_version_language FOREIGN KEY(tenant, text_version, language) REFERENCES consent_texts (tenant, version, language), 
	CONSTRAINT fk_consents_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "consents" VALUES('case_01m81g3tkp4wvz12r638ywcwv8','sub_01m81g3tt36hvwzgm2wpxh1k9f','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81g3tnd3f8zr23c0zgvnwpz');
INSERT INTO "consents" VALUES('case_01m81g3tkp4wvz12r638ywcwv8','sub_01m81g3tt36hvwzgm2wpxh1k9f','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81g3tpny42qjcn2shyben79');
INSERT INTO "consents" VALUES('case_01m81g3tv5zt2mfk15dm6evytf','sub_01m81g3tzc1mvzxpn7jygvvpy9','verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81g3tvdmep3n4t3gy4mt0h9');
INSERT INTO "consents" VALUES('case_01m81g3tv5zt2mfk15dm6evytf','sub_01m81g3tzc1mvzxpn7jygvvpy9','enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81g3twxfewad7zmz173pg7j');
INSERT INTO "consents" VALUES('case_01m81g3v4nd1vyx1az1j3bb5b0',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81g3v5bzcwyf1dsayq6t1mg');
INSERT INTO "consents" VALUES('case_01m81g3v4nd1vyx1az1j3bb5b0',NULL,'enrolment','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81g3v6e0f2p8fk59xnda8xq');
INSERT INTO "consents" VALUES('case_01m81g3v7q5j5fv2nv7b3kncy7',NULL,'verification','2026-01','en','826ff0dab649a97ffdd7779a332accafb35cc161012253a19383db19289d6e02','2026-03-01 12:00:00.000000',NULL,NULL,'local','con_01m81g3v80avr079csze0eztqs');
CREATE TABLE findings (
	tenant VARCHAR(64) NOT NULL, 
	case_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	"check" VARCHAR(64) NOT NULL, 
	outcome VARCHAR(16) NOT NULL, 
	score DOUBLE, 
	codes JSON NOT NULL, 
	CONSTRAINT pk_findings PRIMARY KEY (tenant, case_id, attempt, "check"), 
	CONSTRAINT fk_findings_tenant_case_id_attempt FOREIGN KEY(tenant, case_id, attempt) REFERENCES verdicts (tenant, case_id, attempt), 
	CONSTRAINT fk_findings_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "findings" VALUES('local','case_01m81g3tkp4wvz12r638ywcwv8',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81g3tkp4wvz12r638ywcwv8',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m81g3tv5zt2mfk15dm6evytf',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81g3tv5zt2mfk15dm6evytf',1,'document.mrz','fail',NULL,'["mrz.x"]');
INSERT INTO "findings" VALUES('local','case_01m81g3v4nd1vyx1az1j3bb5b0',1,'face.match','pass',0.71,'[]');
INSERT INTO "findings" VALUES('local','case_01m81g3v4nd1vyx1az1j3bb5b0',1,'document.mrz','fail',NULL,'["mrz.x"]');
CREATE TABLE galleries (
	modality VARCHAR(16) NOT NULL, 
	space VARCHAR(64) NOT NULL, 
	location TEXT NOT NULL, 
	key_id VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_galleries PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_galleries_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES keys (tenant, id), 
	CONSTRAINT fk_galleries_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE garbage (
	blob VARCHAR(200) NOT NULL, 
	since DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_garbage PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_garbage_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE idempotency (
	tenant VARCHAR(64) NOT NULL, 
	scope VARCHAR(64) NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	fingerprint VARCHAR(64) NOT NULL, 
	status INTEGER, 
	answer BLOB, 
	created DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	CONSTRAINT pk_idempotency PRIMARY KEY (tenant, scope, "key"), 
	CONSTRAINT fk_idempotency_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE keys (
	kind VARCHAR(16) NOT NULL, 
	owner VARCHAR(64) NOT NULL, 
	master VARCHAR(128) NOT NULL, 
	wrapped BLOB, 
	created DATETIME NOT NULL, 
	destroyed DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_keys PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_keys_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_keys_tenant_kind_owner UNIQUE (tenant, kind, owner)
);
INSERT INTO "keys" VALUES('tenant','local','local:df98ab7bada9bb29',X'01D8A41B2245204D02CB620716AC44611C598C2414AC37DE3D1C7B65439CAEE827AB7809C22AC803C49E7301531430F7C9ECA4805D894CABE998ADE7E7','2026-03-01 12:00:00.000000',NULL,'local','key_01m81g3tfsrjdb5bdem0dayv8g');
INSERT INTO "keys" VALUES('audit','local','local:df98ab7bada9bb29',X'0178C15D0E3842AD3D8CB8BF9C914CEEE3C4AAD9602122D0A3326CD04779376432832D030927D4FE1D7032212D28A5D6898F83A572B78DCA85A1A714F9','2026-03-01 12:00:00.000000',NULL,'local','key_01m81g3tg3zwb6b2ztk393ep0r');
INSERT INTO "keys" VALUES('audit-mac','local','local:df98ab7bada9bb29',X'01F2AEE0AA01AE84391CC74D5E129029DA4264706084D6E83891AFD5DFA841C9082FCE585FD54C1D829A1C84C29B3ABD5C9647AFD0E250592B4E4B682E','2026-03-01 12:00:00.000000',NULL,'local','key_01m81g3tgcb6mf233zvmhshz40');
INSERT INTO "keys" VALUES('case','case_01m81g3tkp4wvz12r638ywcwv8','local:df98ab7bada9bb29',X'01DA89C07A13D88F2C8DB11A3DDCD88EB5D1EFEF52CDAD3F9B245C01560315BC0721181973C6920BE0231C589D6D28DA65E21574C7BEC45537520D7086','2026-03-01 12:00:00.000000',NULL,'local','key_01m81g3tkpfp8npj3cpmc2kgq6');
INSERT INTO "keys" VALUES('subject','sub_01m81g3tt36hvwzgm2wpxh1k9f','local:df98ab7bada9bb29',X'018A7F41769A311F6FD1812642BBBA07A8F61CB2B9D8C6FF664A937201C7FFE059E0777807AF2D28B6156FA3F3E0057D08EC7FD12932E4460116248A22','2026-03-01 12:00:00.000000',NULL,'local','key_01m81g3tt3mnzpns5hn0z1nd4a');
INSERT INTO "keys" VALUES('case','case_01m81g3tv5zt2mfk15dm6evytf','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m81g3tv5grxxkbz5ayabgdrg');
INSERT INTO "keys" VALUES('subject','sub_01m81g3tzc1mvzxpn7jygvvpy9','local:df98ab7bada9bb29',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','local','key_01m81g3tzc7rrkrn4qcsk2tvs4');
INSERT INTO "keys" VALUES('case','case_01m81g3v4nd1vyx1az1j3bb5b0','local:df98ab7bada9bb29',X'0110AF15E18490D1ACF53FFD98A48F19FF4413AD39D2CA16A5AC7AC4D6B1B2D71D7C6E6891DFD552C7D23E21BBD78902F12B5BE8A4800E1BE371CAF19E','2026-03-01 12:00:00.000000',NULL,'local','key_01m81g3v4nfqs1measm1pkxb2b');
INSERT INTO "keys" VALUES('case','case_01m81g3v7q5j5fv2nv7b3kncy7','local:df98ab7bada9bb29',X'01601F0A225F3158A251641F7044485125E1222B62C2C31C148D93BB93F7751EDD5EA8265CFEBB6C5E70A293C5B5096FDB3510A97C8F59F88C4198815C','2026-03-01 12:00:00.000000',NULL,'local','key_01m81g3v7q8gh6t4ymr5jjfe07');
CREATE TABLE labels (
	case_id VARCHAR(64) NOT NULL, 
	media_id VARCHAR(64), 
	name VARCHAR(64) NOT NULL, 
	value VARCHAR(64) NOT NULL, 
	author TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_labels PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_labels_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_labels_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
CREATE TABLE media (
	case_id VARCHAR(64), 
	subject_id VARCHAR(64), 
	attempt INTEGER NOT NULL, 
	role VARCHAR(32) NOT NULL, 
	content_type VARCHAR(64) NOT NULL, 
	size INTEGER NOT NULL, 
	blob VARCHAR(200) NOT NULL, 
	key_id VARCHAR(64) NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	exact_hash VARCHAR(64) NOT NULL, 
	sealed_hash BLOB, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_media PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_media_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_media_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES keys (tenant, id), 
	CONSTRAINT fk_media_tenant_subject_id FOREIGN KEY(tenant, subject_id) REFERENCES subjects (tenant, id), 
	CONSTRAINT fk_media_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "media" VALUES('case_01m81g3tkp4wvz12r638ywcwv8','sub_01m81g3tt36hvwzgm2wpxh1k9f',1,'selfie','application/octet-stream',13,'case_01m81g3tkp4wvz12r638ywcwv8/med_01m81g3tnxchrv5v297xjpsthh','key_01m81g3tt3mnzpns5hn0z1nd4a',X'018116B40D016893E85D547277ECF95057A906714A8C7F1A11ADA3686BF699E78B9942CFEAB5488CADD470BACA25F3C4A6A96A90A9C4ABE2048E5CEE40','16477aea9abec64e5c177e67bb82ae242b660bfd11cfd997ff7e9a4c550f6fd5',X'010CC6EB434025442B2B7C8DC5A335D5E1C32DF7828B71D285DB1E720018B70BA1B2EDE912FDB02D','2026-03-01 12:00:00.000000','local','med_01m81g3tnxchrv5v297xjpsthh');
INSERT INTO "media" VALUES('case_01m81g3v4nd1vyx1az1j3bb5b0',NULL,1,'selfie','application/octet-stream',13,'case_01m81g3v4nd1vyx1az1j3bb5b0/med_01m81g3v5yf7yvp6mm2wc1652m','key_01m81g3v4nfqs1measm1pkxb2b',X'0158DEFBE04EBBAACE0D9C744CFD9947A64D857CF68AB4C77DA250FC10329F6F0C46BEA780C3A77AACC267535D849B25481A76C32088ABC49092CE6DDC','16477aea9abec64e5c177e67bb82ae242b660bfd11cfd997ff7e9a4c550f6fd5',X'01580E4F2563E5B1269417DCB5FB843E845B7BD120F5D3F71871CA7FF48FE6775AB9E537BF251B1B','2026-03-01 12:00:00.000000','local','med_01m81g3v5yf7yvp6mm2wc1652m');
CREATE TABLE outbox (
	session_id VARCHAR(64) NOT NULL, 
	sequence INTEGER NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	payload JSON NOT NULL, 
	created DATETIME NOT NULL, 
	sent DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_outbox PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_outbox_tenant_session_id FOREIGN KEY(tenant, session_id) REFERENCES sessions (tenant, id), 
	CONSTRAINT fk_outbox_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_outbox_tenant_session_id_sequence UNIQUE (tenant, session_id, sequence)
);
INSERT INTO "outbox" VALUES('ses_01m81g3tkpwzb3pqg36h0ef4rr',6,'session.accepted','{"session": "ses_01m81g3tkpwzb3pqg36h0ef4rr", "case": "case_01m81g3tkp4wvz12r638ywcwv8", "reference": "anna", "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81g3trbwfg9vtehzwfdjtk3');
INSERT INTO "outbox" VALUES('ses_01m81g3tv5rq1ngvwe0me8mcnw',6,'session.accepted','{"session": "ses_01m81g3tv5rq1ngvwe0me8mcnw", "case": "case_01m81g3tv5zt2mfk15dm6evytf", "reference": null, "state": "accepted", "reason": "verdict.accept", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81g3txvb547yt35c6z2r2pf');
INSERT INTO "outbox" VALUES('ses_01m81g3tv5rq1ngvwe0me8mcnw',7,'session.redacted','{"session": "ses_01m81g3tv5rq1ngvwe0me8mcnw", "case": "case_01m81g3tv5zt2mfk15dm6evytf", "reference": null, "state": "redacted", "reason": "session.redacted", "attempt": 1, "sequence": 7, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81g3v0c6vrjpvpw6ze6m3bz');
INSERT INTO "outbox" VALUES('ses_01m81g3v4n08b9xy5be9pw8y40',6,'session.review','{"session": "ses_01m81g3v4n08b9xy5be9pw8y40", "case": "case_01m81g3v4nd1vyx1az1j3bb5b0", "reference": null, "state": "review", "reason": "verdict.review", "attempt": 1, "sequence": 6, "at": "2026-03-01T12:00:00.000+00:00"}','2026-03-01 12:00:00.000000',NULL,'local','msg_01m81g3v7c8cvba9eer1wn2naj');
CREATE TABLE policies (
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	text TEXT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	retention JSON NOT NULL, 
	created DATETIME NOT NULL, 
	author TEXT NOT NULL, 
	CONSTRAINT pk_policies PRIMARY KEY (tenant, id, version), 
	CONSTRAINT fk_policies_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "policies" VALUES('local','default',1,'layers: []','96929773c824d03b5e9c012ed7d36726b97438cc9796ca2d0591347d52750836','{"media_days": 30, "case_days": 365, "second_person": false}','2026-03-01 12:00:00.000000','test');
CREATE TABLE "references" (
	subject_id VARCHAR(64) NOT NULL, 
	gallery_id VARCHAR(64), 
	media_id VARCHAR(64), 
	modality VARCHAR(16) NOT NULL, 
	space VARCHAR(64) NOT NULL, 
	sealed BLOB NOT NULL, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_references PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_references_tenant_gallery_id FOREIGN KEY(tenant, gallery_id) REFERENCES galleries (tenant, id), 
	CONSTRAINT fk_references_tenant_media_id FOREIGN KEY(tenant, media_id) REFERENCES media (tenant, id), 
	CONSTRAINT fk_references_tenant_subject_id FOREIGN KEY(tenant, subject_id) REFERENCES subjects (tenant, id), 
	CONSTRAINT fk_references_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "references" VALUES('sub_01m81g3tt36hvwzgm2wpxh1k9f',NULL,'med_01m81g3tnxchrv5v297xjpsthh','face','golden-space',X'01ADB92921F3A4435D2C412CD13F52410C18959982B91B612541C169BD519F28451AF578639BBDBC896E578B','2026-03-01 12:00:00.000000','local','ref_01m81g3ttjqjzjyamfer1y5pwt');
CREATE TABLE reviews (
	case_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	reviewer TEXT NOT NULL, 
	decision VARCHAR(16) NOT NULL, 
	code VARCHAR(64) NOT NULL, 
	sealed_note BLOB, 
	created DATETIME NOT NULL, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_reviews PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_reviews_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_reviews_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_reviews_tenant_case_id_attempt_reviewer UNIQUE (tenant, case_id, attempt, reviewer)
);
CREATE TABLE sessions (
	case_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason VARCHAR(64) NOT NULL, 
	version INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	priority INTEGER NOT NULL, 
	reference TEXT, 
	sealed_metadata BLOB, 
	created DATETIME NOT NULL, 
	changed DATETIME NOT NULL, 
	expires DATETIME NOT NULL, 
	submitted DATETIME, 
	not_before DATETIME, 
	failures INTEGER NOT NULL, 
	lease_owner TEXT, 
	lease_token VARCHAR(64), 
	lease_until DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, assignee VARCHAR(200), 
	CONSTRAINT pk_sessions PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_sessions_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_sessions_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_sessions_tenant_case_id UNIQUE (tenant, case_id)
);
INSERT INTO "sessions" VALUES('case_01m81g3tkp4wvz12r638ywcwv8','accepted','verdict.accept',6,1,0,'anna',X'0120E8738D7136B38440F55CBD8465C21F5AB42FB63E631E98D2F44A65D424A9644EB42683953B39B2EB05B2B674','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81g3tkpwzb3pqg36h0ef4rr',NULL);
INSERT INTO "sessions" VALUES('case_01m81g3tv5zt2mfk15dm6evytf','redacted','session.redacted',7,1,0,NULL,NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81g3tv5rq1ngvwe0me8mcnw',NULL);
INSERT INTO "sessions" VALUES('case_01m81g3v4nd1vyx1az1j3bb5b0','review','verdict.review',6,1,0,NULL,X'01772DD8707C7AE95881F9DEC0EBD9D2C9E6E665C8FE6A4D2DE9C3929000E682125742D8256077B82BB9FEA77DC3','2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81g3v4n08b9xy5be9pw8y40',NULL);
INSERT INTO "sessions" VALUES('case_01m81g3v7q5j5fv2nv7b3kncy7','submitted','session.submitted',3,1,0,'waits',NULL,'2026-03-01 12:00:00.000000','2026-03-01 12:00:00.000000','2026-03-02 12:00:00.000000','2026-03-01 12:00:00.000000',NULL,0,NULL,NULL,NULL,'local','ses_01m81g3v7q56bn6xcxwxn64m0d',NULL);
CREATE TABLE subjects (
	external_id TEXT, 
	key_id VARCHAR(64) NOT NULL, 
	created DATETIME NOT NULL, 
	expires DATETIME, 
	erased DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_subjects PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_subjects_tenant_key_id FOREIGN KEY(tenant, key_id) REFERENCES keys (tenant, id), 
	CONSTRAINT fk_subjects_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_subjects_tenant_external_id UNIQUE (tenant, external_id)
);
INSERT INTO "subjects" VALUES('anna','key_01m81g3tt3mnzpns5hn0z1nd4a','2026-03-01 12:00:00.000000',NULL,NULL,'local','sub_01m81g3tt36hvwzgm2wpxh1k9f');
INSERT INTO "subjects" VALUES(NULL,'key_01m81g3tzc7rrkrn4qcsk2tvs4','2026-03-01 12:00:00.000000',NULL,'2026-03-01 12:00:00.000000','local','sub_01m81g3tzc1mvzxpn7jygvvpy9');
CREATE TABLE tasks (
	kind VARCHAR(32) NOT NULL, 
	batch VARCHAR(64) NOT NULL, 
	name VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	code VARCHAR(64), 
	sealed_input BLOB NOT NULL, 
	sealed_result BLOB, 
	created DATETIME NOT NULL, 
	finished DATETIME, 
	not_before DATETIME, 
	failures INTEGER NOT NULL, 
	lease_owner TEXT, 
	lease_token VARCHAR(64), 
	lease_until DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_tasks PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_tasks_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_tasks_tenant_batch_name UNIQUE (tenant, batch, name)
);
CREATE TABLE tenants (
	id VARCHAR(64) NOT NULL, 
	name TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	closed DATETIME, 
	CONSTRAINT pk_tenants PRIMARY KEY (id)
);
INSERT INTO "tenants" VALUES('local','local','2026-03-01 12:00:00.000000',NULL);
CREATE TABLE verdicts (
	tenant VARCHAR(64) NOT NULL, 
	case_id VARCHAR(64) NOT NULL, 
	attempt INTEGER NOT NULL, 
	decision VARCHAR(16) NOT NULL, 
	policy_id VARCHAR(64) NOT NULL, 
	policy_version INTEGER NOT NULL, 
	policy_sha256 VARCHAR(64) NOT NULL, 
	model_ids JSON NOT NULL, 
	timings JSON NOT NULL, 
	worker TEXT NOT NULL, 
	created DATETIME NOT NULL, 
	sealed BLOB, 
	CONSTRAINT pk_verdicts PRIMARY KEY (tenant, case_id, attempt), 
	CONSTRAINT fk_verdicts_tenant_case_id FOREIGN KEY(tenant, case_id) REFERENCES cases (tenant, id), 
	CONSTRAINT fk_verdicts_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "verdicts" VALUES('local','case_01m81g3tkp4wvz12r638ywcwv8',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'019510BCDB20518821B52ACC2608F648EAC9AEBDCEB580F71A022541B6E65BECE3EF927710CF8A17816A22B463C81D2ABBEFACA2E070ECE794C36EA4FB6631817383');
INSERT INTO "verdicts" VALUES('local','case_01m81g3tv5zt2mfk15dm6evytf',1,'accept','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',NULL);
INSERT INTO "verdicts" VALUES('local','case_01m81g3v4nd1vyx1az1j3bb5b0',1,'review','default',1,'','["face/sface"]','{}','golden','2026-03-01 12:00:00.000000',X'01609D5641FB59024EB0625E7DD9C1C2F8FD6815AAA759DBEEBA0C48F061D8D74B3BB13ECD8625DF862D776411B91C79E16888A818A112AD722E22AA6DFA03D7869B');
CREATE TABLE webhook_deliveries (
	outbox_id VARCHAR(64) NOT NULL, 
	endpoint_id VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	tries INTEGER NOT NULL, 
	next_try DATETIME NOT NULL, 
	last_status INTEGER, 
	last_error TEXT, 
	lease_token VARCHAR(64), 
	created DATETIME NOT NULL, 
	finished DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_webhook_deliveries PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_webhook_deliveries_tenant_endpoint_id FOREIGN KEY(tenant, endpoint_id) REFERENCES webhook_endpoints (tenant, id), 
	CONSTRAINT fk_webhook_deliveries_tenant_outbox_id FOREIGN KEY(tenant, outbox_id) REFERENCES outbox (tenant, id), 
	CONSTRAINT fk_webhook_deliveries_tenant FOREIGN KEY(tenant) REFERENCES tenants (id), 
	CONSTRAINT uq_webhook_deliveries_tenant_outbox_id_endpoint_id UNIQUE (tenant, outbox_id, endpoint_id)
);
CREATE TABLE webhook_endpoints (
	url TEXT NOT NULL, 
	kinds JSON NOT NULL, 
	sealed_secret BLOB NOT NULL, 
	sealed_old_secret BLOB, 
	old_secret_until DATETIME, 
	created DATETIME NOT NULL, 
	disabled DATETIME, 
	tenant VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_webhook_endpoints PRIMARY KEY (tenant, id), 
	CONSTRAINT fk_webhook_endpoints_tenant FOREIGN KEY(tenant) REFERENCES tenants (id)
);
INSERT INTO "webhook_endpoints" VALUES('https://example.org/hook','[]',X'016E47AF7288BCF34DE3DCCA2FC2CED266C5CA0B33288AEC9794EC4CB842512E43C9D448F24A36A18185420B2BD566E3469F22576501DAFDBDDEC81D2C',NULL,NULL,'2026-03-01 12:00:00.000000',NULL,'local','whe_01m81g3tk8psnvrjbx90adqxpk');
CREATE INDEX ix_audit_events_tenant_kind_object ON audit_events (tenant, kind, object);
CREATE INDEX ix_idempotency_expires ON idempotency (expires);
CREATE INDEX ix_keys_master ON keys (master);
CREATE INDEX ix_subjects_expires ON subjects (expires);
CREATE INDEX ix_cases_expires ON cases (expires);
CREATE INDEX ix_cases_media_expires ON cases (media_expires);
CREATE INDEX ix_cases_tenant_subject_id ON cases (tenant, subject_id);
CREATE INDEX ix_consents_tenant_case_id ON consents (tenant, case_id);
CREATE INDEX ix_consents_tenant_subject_id ON consents (tenant, subject_id);
CREATE INDEX ix_media_tenant_case_id_attempt ON media (tenant, case_id, attempt);
CREATE INDEX ix_media_tenant_exact_hash ON media (tenant, exact_hash);
CREATE INDEX ix_media_tenant_subject_id ON media (tenant, subject_id);
CREATE INDEX ix_sessions_state_expires ON sessions (state, expires);
CREATE INDEX ix_sessions_state_lease_until ON sessions (state, lease_until);
CREATE INDEX ix_sessions_state_priority_submitted ON sessions (state, priority, submitted);
CREATE INDEX ix_sessions_tenant_reference ON sessions (tenant, reference);
CREATE INDEX ix_verdicts_tenant_created ON verdicts (tenant, created);
CREATE INDEX ix_outbox_sent ON outbox (sent);
CREATE INDEX ix_references_tenant_subject_id ON "references" (tenant, subject_id);
CREATE INDEX ix_webhook_deliveries_state_next_try ON webhook_deliveries (state, next_try);
CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX ix_tasks_state_kind_created ON tasks (state, kind, created);
COMMIT;
